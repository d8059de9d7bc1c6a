// Who may do what: the routes, and how a request comes to one.
#include "api/api.hpp"
#include "api/authorize.hpp"
#include "api/entrance.hpp"
#include "api/error_response.hpp"
#include "api/input.hpp"
#include "api/raw_query.hpp"
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
  static constexpr Input kPage{.query = "after limit"};
  static constexpr Input kReport{.query = "since top user whatIfLimit"};
  static constexpr Input kPast{.query = "since"};
  static constexpr Input kWatch{.query = "user since boot renewed events"};
  static constexpr Input kBody{.body = true};
  static constexpr Input kAnything{.ignores_others = true};
  static constexpr Input kViewers{.ignores_others = true, .of_viewers = true};
  static constexpr Input kEnd{.query = "start message"};
  static constexpr Input kEndByBeacon{.query = "start message", .ignores_others = true};
  // The most frequent first: they are tried in turn.
  static constexpr Route kRoutes[] = {
      {"POST", "/v1/users/{user}/sessions/{session}/heartbeat", &Api::heartbeat, Role::kClient,
       kBody},
      {"PUT", "/v1/users/{user}/sessions/{session}", &Api::start, Role::kClient, kBody,
       Role::kOperator},
      {"DELETE", "/v1/users/{user}/sessions/{session}", &Api::end, Role::kClient, kEnd},
      {"POST", "/v1/users/{user}/sessions/{session}/end", &Api::end, Role::kClient, kEndByBeacon},
      {"GET", "/v1/authorize", &Api::authorize, Role::kClient, kViewers},
      {"GET", "/v1/authorize/{tail}", &Api::authorize, Role::kClient, kViewers},
      {"OPTIONS", "/v1/authorize/{tail}", &Api::authorize_preflight, Role::kClient, kViewers},
      {"GET", "/v1/hooks/{dialect}", &Api::hook, Role::kClient, kViewers},
      {"POST", "/v1/hooks/{dialect}", &Api::hook, Role::kClient, kViewers},
      {"GET", "/v1/users/{user}/sessions", &Api::list_user, Role::kClient, kPage},
      {"POST", "/v1/users/{user}/explain", &Api::explain, Role::kClient, kBody, Role::kOperator},
      {"GET", "/v1/sessions", &Api::list_all, Role::kOperator, kPage},
      {"POST", "/v1/purge", &Api::purge, Role::kOperator, kBody},
      {"GET", "/v1/users/{user}/limit", &Api::show_limit, Role::kOperator},
      {"PUT", "/v1/users/{user}/limit", &Api::set_limit, Role::kOperator, kBody},
      {"DELETE", "/v1/users/{user}/limit", &Api::clear_limit, Role::kOperator},
      {"GET", "/v1/limits", &Api::list_limits, Role::kOperator, kPage},
      {"GET", "/v1/users/{user}/block", &Api::show_block, Role::kOperator},
      {"PUT", "/v1/users/{user}/block", &Api::set_block, Role::kOperator, kBody},
      {"DELETE", "/v1/users/{user}/block", &Api::unblock, Role::kOperator},
      {"GET", "/v1/blocks", &Api::list_blocks, Role::kOperator, kPage},
      {"GET", "/v1/plans", &Api::list_plans, Role::kOperator},
      {"GET", "/v1/plans/{plan}", &Api::show_plan, Role::kOperator},
      {"PUT", "/v1/plans/{plan}", &Api::set_plan, Role::kOperator, kBody},
      {"DELETE", "/v1/plans/{plan}", &Api::remove_plan, Role::kOperator, {.query = "force"}},
      {"GET", "/v1/report", &Api::report, Role::kOperator, kReport},
      {"POST", "/v1/backup", &Api::backup, Role::kOperator, {.query = "local"}},
      {"POST", "/v1/batch", &Api::batch, Role::kClient, kBody, Role::kOperator},
      {"GET", "/v1/events", &Api::events, Role::kClient, kWatch, Role::kOperator},
      {"GET", "/v1/fleet", &Api::fleet, Role::kOperator},
      {"GET", "/v1/fleet/check", &Api::fleet_check, Role::kOperator},
      {"GET", "/v1/history", &Api::history, Role::kOperator, kPast},
      {"GET", "/v1/settings", &Api::settings, Role::kOperator},
      {"GET", "/v1/status", &Api::status, Role::kClient},
      {"GET", "/healthz", &Api::health, Role::kMetrics},
      {"GET", "/metrics", &Api::metrics, Role::kMetrics},
      {"GET", "/openapi.json", &Api::openapi, Role::kMetrics},
      {"GET", "/", &Api::page, Role::kMetrics},
      {"GET", "/page/{file}", &Api::page, Role::kMetrics},
      {"GET", "/startSession/userId/{user}/sessionId/{session}", &Api::legacy_start, Role::kClient,
       kAnything},
      {"GET", "/endSession/userId/{user}/sessionId/{session}", &Api::legacy_end, Role::kClient,
       kAnything},
  };
  return kRoutes;
}

// --- how a request comes to its route ---

void Api::begin(Call& call) {
  call.route = nullptr;
  call.streams = false;
  if (!call.target.assign(routed_part(call.request.target))) return;
  call.route = match(routes(), call.request.method, call.target, call.names);
  if (call.route == nullptr) return;
  // Its fields are read by the entrance, which takes its path to the letter.
  const bool is_read = is_of_viewers(entrance_of(call.request.target));
  if (call.route->takes.of_viewers != is_read) {
    call.route = nullptr;
    return;
  }
  call.streams = call.route->action.streamed != nullptr;
  if (call.route->pattern.names_user()) service_.prefetch(call.names[0]);
}

std::shared_ptr<BodySink> Api::handle(const Call& call, Respond respond) {
  if (log_.logs(LogLevel::kDebug)) respond = logged(call.request, std::move(respond));
  if (call.route == nullptr) {
    answer_no_route(call.request, respond);
  } else if (!permits(call, call.route->least)) {
    const std::string_view cause = refusal_of(call.route->least);
    // To a proxy or a media server another status would be a denial.
    respond(call.route->takes.of_viewers ? undecided_response(cause) : forbidden(call, cause));
  } else if (const auto fits = check_input(call); !fits) {
    respond(error_response(fits.error()));
  } else if (call.streams) {
    return (this->*call.route->action.streamed)(call, std::move(respond));
  } else {
    (this->*call.route->action.whole)(call, std::move(respond));
  }
  return nullptr;
}

void Api::answer_no_route(const Request& request, const Respond& respond) const {
  const bool asks_for_methods = request.method == "OPTIONS";
  const auto target = Target::parse(routed_part(request.target));
  std::string allowed;
  // Where there is one, the path is spelt otherwise than it must be.
  Names names;
  const bool has_none = target && match(routes(), request.method, *target, names) == nullptr;
  if (has_none) allowed = allowed_methods(routes(), *target);
  // Of all paths.
  if (allowed.empty() && asks_for_methods && request.target == "*") {
    allowed = allowed_methods(routes());
  }
  if (allowed.empty()) {
    return respond(target ? error_response(404, "cannot find this path")
                          : error_response(target.error()));
  }
  Response response;
  if (asks_for_methods) {
    response.status = 204;
  } else {
    response = error_response(
        405, text::format("cannot {} this path: it takes {}", request.method, allowed));
  }
  response.headers = text::format("Allow: {}\r\n", allowed);
  respond(std::move(response));
}

Handler::Respond Api::logged(const Request& request, Respond respond) const {
  // A hook's key may stand in its query.
  const bool is_hook = entrance_of(request.target) == Entrance::kHook;
  const std::string_view shown = is_hook ? path_of(request.target) : request.target;
  return [this, what = text::format("{} {}", request.method, shown),
          respond = std::move(respond)](Response&& response) {
    log_.debug("{}: {}", what, response.status);
    respond(std::move(response));
  };
}

bool Api::permits(const Call& call, Role least) {
  return permits(call.request.role, call.request.caller, *call.route, least);
}

Response Api::forbidden(const Call& call, std::string_view cause) const {
  const std::string advice = info_.advice ? info_.advice(call.request.uid) : std::string();
  const char* before = advice.empty() ? "" : "; ";
  return error_response(403, text::format("{}{}{}", cause, before, advice));
}

// Where the caller may not, the log says so.
bool Api::permits(Role role, std::string_view caller, const Route& route, Role least) {
  if (role >= least) return true;
  if (const auto held_back = refusals_.next(clock_.now().instant)) {
    log_.warning("refused {} {} to {}{}", route.method, route.pattern.text(), caller,
                 *held_back == 0 ? "" : text::format(" ({} more were refused before)", *held_back));
  }
  return false;
}

}  // namespace concur
