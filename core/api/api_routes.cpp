// Who may do what: the routes, and how a request comes to one.
#include "api/answer_json.hpp"
#include "api/error_response.hpp"
#include "api/api.hpp"
#include "base/text.hpp"

#include <utility>

namespace concur {

namespace {

std::string_view refusal_of(Role least) {
  return least == Role::kOperator
             ? "cannot do this: it is for operators, that is root, the daemon's own user, the "
               "members of its admin group and keys with that role"
             : "cannot do this: it is for clients and operators, and this key is for metrics alone";
}

}  // namespace

std::span<const Route> Api::routes() {
  // The most frequent first: they are tried in turn.
  static constexpr Route kRoutes[] = {
      {"POST", "/v1/users/{user}/sessions/{session}/heartbeat", &Api::heartbeat, Role::kClient},
      {"PUT", "/v1/users/{user}/sessions/{session}", &Api::start, Role::kClient, Role::kOperator},
      {"DELETE", "/v1/users/{user}/sessions/{session}", &Api::end, Role::kClient},
      {"GET", "/v1/users/{user}/sessions", &Api::list_user, Role::kClient},
      {"GET", "/v1/sessions", &Api::list_all, Role::kOperator},
      {"POST", "/v1/purge", &Api::purge, Role::kOperator},
      {"GET", "/v1/users/{user}/limit", &Api::show_limit, Role::kOperator},
      {"PUT", "/v1/users/{user}/limit", &Api::set_limit, Role::kOperator},
      {"DELETE", "/v1/users/{user}/limit", &Api::clear_limit, Role::kOperator},
      {"GET", "/v1/limits", &Api::list_limits, Role::kOperator},
      {"GET", "/v1/plans", &Api::list_plans, Role::kOperator},
      {"GET", "/v1/plans/{plan}", &Api::show_plan, Role::kOperator},
      {"PUT", "/v1/plans/{plan}", &Api::set_plan, Role::kOperator},
      {"DELETE", "/v1/plans/{plan}", &Api::remove_plan, Role::kOperator},
      {"GET", "/v1/report", &Api::report, Role::kOperator},
      {"POST", "/v1/backup", &Api::backup, Role::kOperator},
      {"POST", "/v1/batch", &Api::batch, Role::kClient, Role::kOperator},
      {"GET", "/v1/events", &Api::events, Role::kClient, Role::kOperator},
      {"GET", "/v1/status", &Api::status, Role::kClient},
      {"GET", "/healthz", &Api::health, Role::kMetrics},
      {"GET", "/metrics", &Api::metrics, Role::kMetrics},
      {"GET", "/startSession/userId/{user}/sessionId/{session}", &Api::first_start, Role::kClient},
      {"GET", "/endSession/userId/{user}/sessionId/{session}", &Api::first_end, Role::kClient},
  };
  return kRoutes;
}

void Api::route(const Request& request, Respond respond) {
  const auto target = Target::parse(request.target);
  if (!target) return respond(to_response(target.error()));
  const auto call = admit(request, *target, respond);
  if (call) (this->*call->route.handler)(*call, std::move(respond));
}

// None where that is answered: there is no such route, or not for this caller.
std::optional<Call> Api::admit(const Request& request, const Target& target,
                               const Respond& respond) {
  Match found = match(routes(), request.method, target);
  if (found.route == nullptr) {
    const bool path_known = !found.allowed.empty();
    Response response = error_response(
        path_known ? 405 : 404,
        path_known ? text::format("cannot {} this path: it takes {}", request.method, found.allowed)
                   : "cannot find this path");
    if (path_known) response.headers = text::format("Allow: {}\r\n", found.allowed);
    respond(std::move(response));
    return std::nullopt;
  }
  if (!permits(request, *found.route, found.route->least)) {
    respond(error_response(403, refusal_of(found.route->least)));
    return std::nullopt;
  }
  return Call{request, target, std::move(found.names), *found.route};
}

bool Api::permits(const Call& call, Role least) { return permits(call.request, call.route, least); }

// Where the caller may not, the log tells.
bool Api::permits(const Request& request, const Route& route, Role least) {
  if (request.role >= least) return true;
  if (const auto held_back = refusals_.next(clock_.now().instant)) {
    log_.warning("refused {} {} to {}{}", route.method, route.pattern.text(), request.caller,
                 *held_back == 0 ? "" : text::format(" ({} more were refused before)", *held_back));
  }
  return false;
}

}  // namespace concur
