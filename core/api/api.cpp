#include "api/api.hpp"

#include "api/answer_json.hpp"
#include "api/error_response.hpp"
#include "api/event_stream.hpp"
#include "api/input.hpp"
#include "api/parameters.hpp"
#include "api/request_body.hpp"
#include "base/text.hpp"

#include <string>
#include <utility>

namespace concur {

namespace {

// Of an answer that goes on while others wait for it: a proxy such as nginx passes it on as it
// comes.
constexpr std::string_view kUnbuffered = "X-Accel-Buffering: no\r\n";

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

void Api::submit(const Command& command, Respond respond) {
  commands_.submit(command, [respond = std::move(respond)](const Result<Answer>& answer) {
    respond(answer ? to_response(*answer) : to_response(answer.error()));
  });
}

void Api::submit_waiting(const Call& call, const Start& start, Millis wait, Respond respond) {
  const auto place = commands_.submit_waiting(
      start, wait, [respond = std::move(respond)](const Result<Answer>& answer) {
        respond(answer ? to_response(*answer) : to_response(answer.error()));
      });
  if (place == Service::kNoPlace || call.asker == nullptr) return;
  call.asker->on_gone([this, place] { service_.leave(place); });
}

void Api::submit_legacy(const Command& command, Respond respond) {
  commands_.submit(command, [respond = std::move(respond)](const Result<Answer>& answer) {
    respond(answer ? to_first_response(*answer) : to_first_response(answer.error()));
  });
}

void Api::start(const Call& call, Respond respond) {
  const auto ids = ids_of(call);
  if (!ids) return respond(to_response(ids.error()));
  // Most give no more than the names.
  if (is_no_body(call.request.body))
    return submit(Start{ids->user, ids->session}, std::move(respond));
  auto body = parse_start_body(call.request.body);
  if (!body) return respond(to_response(body.error()));
  if (body->limit && !permits(call, call.route->least_widened)) {
    return respond(forbidden(call, "cannot set a limit with a start: that is for operators"));
  }
  const Start start = start_of(ids->user, ids->session, *body);
  if (body->wait) return submit_waiting(call, start, *body->wait, std::move(respond));
  submit(start, std::move(respond));
}

void Api::explain(const Call& call, Respond respond) {
  const auto user = Id::parse("user", call.names[0]);
  if (!user) return respond(to_response(user.error()));
  auto body = parse_explain_body(call.request.body);
  if (!body) return respond(to_response(body.error()));
  if (body->start.limit && !permits(call, call.route->least_widened)) {
    return respond(forbidden(call, "cannot explain with a limit: that is for operators"));
  }
  const auto session =
      body->session ? Id::parse("session", *body->session) : Result<Id>(Id::unnamed());
  submit(Explain{start_of(*user, *session, body->start), body->start.wait.value_or(Millis(0))},
         std::move(respond));
}

void Api::heartbeat(const Call& call, Respond respond) {
  const auto ids = ids_of(call);
  if (!ids) return respond(to_response(ids.error()));
  Heartbeat beat{ids->user, ids->session};
  if (!is_no_body(call.request.body)) {
    const auto body = parse_heartbeat_body(call.request.body);
    if (!body) return respond(to_response(body.error()));
    beat.ttl = body->ttl;
    beat.start = body->start;
  }
  submit(beat, std::move(respond));
}

void Api::end(const Call& call, Respond respond) {
  const auto ids = ids_of(call);
  if (!ids) return respond(to_response(ids.error()));
  const auto start = parse_start_parameter(call.target.query("start"));
  if (!start) return respond(to_response(start.error()));
  const auto message = parse_message_parameter(call.target.query("message"));
  if (!message) return respond(to_response(message.error()));
  submit(End{ids->user, ids->session, *start, *message}, std::move(respond));
}

void Api::list_user(const Call& call, Respond respond) {
  const auto user = Id::parse("user", call.names[0]);
  if (!user) return respond(to_response(user.error()));
  const auto most = page_size(call.target);
  if (!most) return respond(to_response(most.error()));
  submit(ListUser{*user, page_after(call.target), *most}, std::move(respond));
}

void Api::list_all(const Call& call, Respond respond) {
  const auto most = page_size(call.target);
  if (!most) return respond(to_response(most.error()));
  submit(ListAll{page_after(call.target), *most}, std::move(respond));
}

void Api::purge(const Call& call, Respond respond) {
  auto body = parse_purge_body(call.request.body);
  if (!body) return respond(to_response(body.error()));
  if (body->user) {
    const auto user = Id::parse("user", *body->user);
    if (!user) return respond(to_response(user.error()));
    body->purge.user = *user;
  }
  submit(body->purge, std::move(respond));
}

void Api::legacy_start(const Call& call, Respond respond) {
  const auto ids = ids_of(call);
  if (!ids) return respond(to_first_response(ids.error()));
  Start start{ids->user, ids->session};
  start.refuse_repeat_above_limit = true;
  start.keeps_token = true;
  submit_legacy(start, std::move(respond));
}

void Api::legacy_end(const Call& call, Respond respond) {
  const auto ids = ids_of(call);
  if (!ids) return respond(to_first_response(ids.error()));
  submit_legacy(End{ids->user, ids->session}, std::move(respond));
}

// Null where there are too many already: then that is answered.
std::shared_ptr<BodySink> Api::batch(const Call& call, Respond respond) {
  if (*batches_ >= CommandBatch::kMaxAtOnce) {
    respond(error_response(503, text::format("cannot take the batch: {} of them are under way",
                                             CommandBatch::kMaxAtOnce)));
    return nullptr;
  }
  // Asked while lines arrive, which they do no longer than the api lives.
  auto may_set_limits = [this, route = call.route, role = call.request.role,
                         caller = std::string(call.request.caller)] {
    return permits(role, caller, *route, route->least_widened);
  };
  auto batch = std::make_shared<CommandBatch>(commands_, memory_, std::string(call.request.caller),
                                              std::move(may_set_limits), batches_);
  respond({200, {}, "application/x-ndjson", std::string(kUnbuffered), batch});
  return batch;
}

void Api::events(const Call& call, Respond respond) {
  Watch watch;
  if (const auto name = call.target.query("user")) {
    const auto user = Id::parse("user", *name);
    if (!user) return respond(to_response(user.error()));
    watch.user = user->text();
  } else if (!permits(call, call.route->least_widened)) {
    return respond(forbidden(call, "cannot show the events of all users: that is for operators"));
  }
  if (call.target.query("since")) {
    const auto since = number_of<std::uint64_t>(call.target, "since", 0, UINT64_MAX - 1);
    if (!since) return respond(to_response(since.error()));
    watch.since = *since;
  }
  if (const auto boot = call.target.query("boot")) {
    if (!watch.since) {
      return respond(error_response(400, "cannot read boot: it says whose number since is"));
    }
    watch.boot = *boot;
  }
  const auto renewed = switch_of(call.target, "renewed");
  if (!renewed) return respond(to_response(renewed.error()));
  watch.renewed = *renewed;
  if (const auto names = call.target.query("events")) {
    const auto kinds = parse_event_kinds(*names);
    if (!kinds) return respond(to_response(kinds.error()));
    watch.kinds = *kinds;
    if ((*kinds & bit_of(EventKind::kRenewed)) != 0) watch.renewed = true;
  }
  if (*event_streams_ >= EventStream::kMaxAtOnce) {
    return respond(
        error_response(503, text::format("cannot show the events: {} watch them already, and the "
                                         "other connections are for requests",
                                         EventStream::kMaxAtOnce)));
  }
  respond({200,
           {},
           "application/x-ndjson",
           std::string(kUnbuffered),
           std::make_shared<EventStream>(events_, clock_, std::move(watch), event_streams_)});
}

}  // namespace concur
