#include "api/api.hpp"

#include "api/answer_json.hpp"
#include "api/event_stream.hpp"
#include "api/parameters.hpp"
#include "api/request_body.hpp"

#include <fmt/format.h>

#include <utility>

namespace concur {

namespace {

struct Ids {
  Id user;
  Id session;
};

Result<Ids> ids_of(const Call& call) {
  const auto user = Id::parse("user", call.names[0]);
  const auto session = Id::parse("session", call.names[1]);
  // A missing one first: both APIs have a text of their own for it.
  if (call.names[1].empty()) return session.error();
  if (!user) return user.error();
  if (!session) return session.error();
  return Ids{*user, *session};
}

}  // namespace

std::span<const Route> Api::routes() {
  // The most frequent first: they are tried in turn.
  static constexpr Route kRoutes[] = {
      {"POST", "/v1/users/{user}/sessions/{session}/heartbeat", Role::kClient, &Api::heartbeat},
      {"PUT", "/v1/users/{user}/sessions/{session}", Role::kClient, &Api::start},
      {"DELETE", "/v1/users/{user}/sessions/{session}", Role::kClient, &Api::end},
      {"GET", "/v1/users/{user}/sessions", Role::kClient, &Api::list_user},
      {"GET", "/v1/sessions", Role::kOperator, &Api::list_all},
      {"POST", "/v1/purge", Role::kOperator, &Api::purge},
      {"GET", "/v1/users/{user}/limit", Role::kOperator, &Api::show_limit},
      {"PUT", "/v1/users/{user}/limit", Role::kOperator, &Api::set_limit},
      {"DELETE", "/v1/users/{user}/limit", Role::kOperator, &Api::clear_limit},
      {"GET", "/v1/limits", Role::kOperator, &Api::list_limits},
      {"GET", "/v1/plans", Role::kOperator, &Api::list_plans},
      {"GET", "/v1/plans/{plan}", Role::kOperator, &Api::show_plan},
      {"PUT", "/v1/plans/{plan}", Role::kOperator, &Api::set_plan},
      {"DELETE", "/v1/plans/{plan}", Role::kOperator, &Api::remove_plan},
      {"GET", "/v1/report", Role::kOperator, &Api::report},
      {"POST", "/v1/backup", Role::kOperator, &Api::backup},
      {"POST", "/v1/batch", Role::kClient, &Api::batch},
      {"GET", "/v1/events", Role::kClient, &Api::events},
      {"GET", "/v1/status", Role::kClient, &Api::status},
      {"GET", "/healthz", Role::kClient, &Api::health},
      {"GET", "/metrics", Role::kClient, &Api::metrics},
      {"GET", "/startSession/userId/{user}/sessionId/{session}", Role::kClient, &Api::first_start},
      {"GET", "/endSession/userId/{user}/sessionId/{session}", Role::kClient, &Api::first_end},
  };
  return kRoutes;
}

void Api::handle(const Request& request, Respond respond) {
  route(request, logged(request, std::move(respond)));
}

Handler::Respond Api::logged(const Request& request, Respond respond) const {
  if (!log_.logs(LogLevel::kDebug)) return respond;
  return [this, what = fmt::format("{} {}", request.method, request.target),
          respond = std::move(respond)](Response response) {
    log_.debug("{}: {}", what, response.status);
    respond(std::move(response));
  };
}

bool Api::streams(std::string_view method, std::string_view target) const {
  return method == "POST" && target.substr(0, target.find('?')) == "/v1/batch";
}

std::shared_ptr<BodySink> Api::handle_stream(const Request& head, Respond respond) {
  return open_batch(head.role, logged(head, std::move(respond)));
}

void Api::route(const Request& request, Respond respond) {
  const auto target = Target::parse(request.target);
  if (!target) {
    respond(to_response(target.error()));
    return;
  }
  Match found = match(routes(), request.method, *target);
  if (found.route == nullptr) {
    const bool path_known = !found.allowed.empty();
    Response response = error_response(
        path_known ? 405 : 404,
        path_known ? fmt::format("cannot {} this path: it takes {}", request.method, found.allowed)
                   : "cannot find this path");
    if (path_known) response.headers = fmt::format("Allow: {}\r\n", found.allowed);
    respond(std::move(response));
    return;
  }
  if (request.role < found.route->least) {
    respond(
        error_response(403,
                       "cannot do this: it is for operators, that is root, the daemon's own user "
                       "and the members of its admin group"));
    return;
  }
  (this->*found.route->handler)({request, *target, std::move(found.names)}, std::move(respond));
}

void Api::submit(const Command& command, Respond respond) {
  service_.submit(command, [respond = std::move(respond)](const Result<Answer>& answer) {
    respond(answer ? to_response(*answer) : to_response(answer.error()));
  });
}

void Api::submit_first(const Command& command, Respond respond) {
  service_.submit(command, [respond = std::move(respond)](const Result<Answer>& answer) {
    respond(answer ? to_first_response(*answer) : to_first_response(answer.error()));
  });
}

void Api::start(const Call& call, Respond respond) {
  const auto ids = ids_of(call);
  if (!ids) return respond(to_response(ids.error()));
  auto body = parse_start_body(call.request.body);
  if (!body) return respond(to_response(body.error()));
  if (body->limit && call.request.role < Role::kOperator) {
    return respond(error_response(403, "cannot set a limit with a start: that is for operators"));
  }
  submit(start_of(ids->user, ids->session, *body), std::move(respond));
}

void Api::heartbeat(const Call& call, Respond respond) {
  const auto ids = ids_of(call);
  if (!ids) return respond(to_response(ids.error()));
  submit(Heartbeat{ids->user, ids->session}, std::move(respond));
}

void Api::end(const Call& call, Respond respond) {
  const auto ids = ids_of(call);
  if (!ids) return respond(to_response(ids.error()));
  submit(End{ids->user, ids->session}, std::move(respond));
}

void Api::list_user(const Call& call, Respond respond) {
  const auto user = Id::parse("user", call.names[0]);
  if (!user) return respond(to_response(user.error()));
  const auto after = number_of<std::int64_t>(call.target, "after", 0, INT64_MAX);
  if (!after) return respond(to_response(after.error()));
  const auto most = page_size(call.target);
  if (!most) return respond(to_response(most.error()));
  submit(ListUser{*user, *after, *most}, std::move(respond));
}

void Api::list_all(const Call& call, Respond respond) {
  const auto after = number_of<std::uint32_t>(call.target, "after", 0, UINT32_MAX);
  if (!after) return respond(to_response(after.error()));
  const auto most = page_size(call.target);
  if (!most) return respond(to_response(most.error()));
  submit(ListAll{*after, *most}, std::move(respond));
}

void Api::purge(const Call& call, Respond respond) {
  const auto body = parse_purge_body(call.request.body);
  if (!body) return respond(to_response(body.error()));
  Purge purge{{}, body->idle, body->dry_run};
  if (body->user) {
    const auto user = Id::parse("user", *body->user);
    if (!user) return respond(to_response(user.error()));
    purge.user = *user;
  }
  submit(purge, std::move(respond));
}

void Api::first_start(const Call& call, Respond respond) {
  const auto ids = ids_of(call);
  if (!ids) return respond(to_first_response(ids.error()));
  Start start{ids->user, ids->session};
  start.refuse_repeat_above_limit = true;
  submit_first(start, std::move(respond));
}

void Api::first_end(const Call& call, Respond respond) {
  const auto ids = ids_of(call);
  if (!ids) return respond(to_first_response(ids.error()));
  submit_first(End{ids->user, ids->session}, std::move(respond));
}

// Null where there are too many already: then that is answered.
std::shared_ptr<CommandBatch> Api::open_batch(Role role, const Respond& respond) {
  if (*batches_ >= CommandBatch::kMostAtOnce) {
    respond(error_response(503, fmt::format("cannot take the batch: {} of them are under way",
                                            CommandBatch::kMostAtOnce)));
    return nullptr;
  }
  auto opened = std::make_shared<CommandBatch>(service_, role, batches_);
  respond({200, {}, "application/x-ndjson", {}, opened});
  return opened;
}

// A batch whose path is spelt in a way that streams() does not know: its body is here already.
void Api::batch(const Call& call, Respond respond) {
  const auto opened = open_batch(call.request.role, respond);
  if (opened && opened->take(call.request.body)) opened->finish();
}

void Api::events(const Call& call, Respond respond) {
  Watch watch;
  if (const auto name = call.target.query("user")) {
    const auto user = Id::parse("user", *name);
    if (!user) return respond(to_response(user.error()));
    watch.user = user->text();
  } else if (call.request.role < Role::kOperator) {
    return respond(
        error_response(403, "cannot show the events of all users: that is for operators"));
  }
  if (call.target.query("since")) {
    const auto since = number_of<std::uint64_t>(call.target, "since", 0, UINT64_MAX - 1);
    if (!since) return respond(to_response(since.error()));
    watch.since = *since;
  }
  const auto renewed = switch_of(call.target, "renewed");
  if (!renewed) return respond(to_response(renewed.error()));
  watch.renewed = *renewed;
  respond({200,
           {},
           "application/x-ndjson",
           {},
           std::make_shared<EventStream>(service_.events(), clock_, std::move(watch))});
}

}  // namespace concur
