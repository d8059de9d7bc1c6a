// What proxies and media servers ask on behalf of their viewers.
#include "api/api.hpp"
#include "api/authorize.hpp"
#include "api/error_response.hpp"
#include "api/hook_dialect.hpp"
#include "api/hook_request.hpp"
#include "base/text.hpp"

#include <memory>
#include <utility>

namespace concur {

namespace {

template <Allowed allowed>
Response authorize_response(const Result<Answer>& answer) {
  return answer ? to_authorize_response(*answer, allowed)
                : undecided_response(answer.error().message);
}

std::string_view text_of(const std::optional<std::string>& name) {
  return name ? std::string_view(*name) : std::string_view();
}

Asked read_asked(const HookRequest& hook) {
  static const Sources kNone;
  const HookUrl& url = hook.url();
  const HookEvent& event = hook.event();
  Asked asked = find_asked({url.user, url.session ? *url.session : kNone, url.device, kNone,
                            url.content ? *url.content : kNone, kNone, kNone},
                           hook.text());
  if (!url.session) asked.session = event.session;
  if (asked.details.device.empty()) asked.details.device = event.device;
  if (!url.content) asked.details.content = detail_of(event.content);
  const bool is_tagged = !url.tag.empty() && !text_of(asked.session).empty();
  if (is_tagged) asked.session = text::format("{}-{}", url.tag, *asked.session);
  return asked;
}

}  // namespace

// --- proxies ---

void Api::authorize(const Call& call, Respond respond) {
  Asked asked = read_asked(authorize_, call.request);
  const auto user = Id::parse("user", text_of(asked.user));
  if (!user) return respond(no_user_response());
  const auto session = Id::parse("session", text_of(asked.session));
  if (!session) return respond(no_session_response());
  Start start{*user, *session, authorize_.lease, {}, std::move(asked.details)};
  start.keeps_token = true;
  start.never_revives = true;
  if (tail_of(call.request.target)) {
    submit_as<authorize_response<Allowed::kOk>>(start, std::move(respond));
  } else {
    submit_as<authorize_response<Allowed::kNoContent>>(start, std::move(respond));
  }
}

// A browser asks whether it may ask, on behalf of a page: who watches is not said then.
void Api::authorize_preflight(const Call& /*call*/, Respond respond) {
  respond(allowed_response(Allowed::kOk));
}

// --- media servers ---

struct Api::HookWaits {
  Api& api;
  const HookDialect& dialect;
  Respond respond;
};

void Api::hook(const Call& call, Respond respond) {
  const HookDialect* dialect = find_hook_dialect(call.names[0]);
  if (dialect == nullptr) {
    return respond(error_response(404,
                                  "cannot find this hook: there are srs, nginx-rtmp, "
                                  "flussonic and mediamtx"));
  }
  auto hook = HookRequest::parse(*dialect, call.request);
  if (!hook) {
    warn_of_hook(*dialect, hook.error().message);
    return respond(dialect->answer({HookOutcome::Kind::kUndecided, hook.error().message}));
  }
  handle_hook(*dialect, *hook, std::move(respond));
}

void Api::handle_hook(const HookDialect& dialect, const HookRequest& hook, Respond respond) {
  using Kind = HookOutcome::Kind;
  const HookEvent::Verb verb = hook.event().verb;
  if (verb == HookEvent::Verb::kPass) return respond(dialect.answer({Kind::kPassed}));
  if (verb == HookEvent::Verb::kRefuse) {
    return respond(dialect.answer({Kind::kUnknownUser,
                                   "cannot allow this: the hook's URL does "
                                   "not say also="}));
  }
  Asked asked = read_asked(hook);
  const auto user = Id::parse("user", text_of(asked.user));
  const auto session = Id::parse("session", text_of(asked.session));
  auto waits = std::make_unique<HookWaits>(HookWaits{*this, dialect, std::move(respond)});
  if (verb == HookEvent::Verb::kEnd) {
    if (!user || !session) return waits->respond(dialect.answer({Kind::kDone}));
    return end_by_hook({*user, *session}, std::move(waits));
  }
  if (!user || !session) {
    const std::string cause =
        text::format("cannot say whether this may be watched: it is not known {}",
                     user ? "in which session" : "by whom");
    warn_of_hook(dialect, cause);
    return waits->respond(dialect.answer({Kind::kUnknownUser, cause}));
  }
  Start start{*user, *session, hook.url().ttl, {}, std::move(asked.details), hook.url().on_limit};
  if (!start.ttl) start.ttl = dialect.ttl;
  start.keeps_token = true;
  start.never_revives = verb == HookEvent::Verb::kUpdate;
  start_by_hook(start, std::move(waits));
}

void Api::start_by_hook(const Start& start, std::unique_ptr<HookWaits> waits) {
  if (early_ends_.has(start.user.text(), start.session.text(), clock_.now().instant)) {
    const Gone gone{std::string(start.user.text()), std::string(start.session.text())};
    return waits->respond(waits->dialect.answer(outcome_of(Answer(gone))));
  }
  commands_.submit(start, [waits = std::move(waits)](const Result<Answer>& answer) {
    waits->respond(waits->dialect.answer(outcome_of(answer)));
  });
}

void Api::end_by_hook(const End& end, std::unique_ptr<HookWaits> waits) {
  commands_.submit(end, [waits = std::move(waits)](const Result<Answer>& answer) {
    const Ended* ended = answer ? std::get_if<Ended>(&*answer) : nullptr;
    if (ended != nullptr && !ended->ended && !ended->reason) {
      Api& api = waits->api;
      api.early_ends_.add(ended->user, ended->session, api.clock_.now().instant);
    }
    waits->respond(waits->dialect.answer(outcome_of(answer)));
  });
}

// Each of its viewers would be refused by the same fault.
void Api::warn_of_hook(const HookDialect& dialect, std::string_view cause) {
  if (const auto held_back = hook_warnings_.next(clock_.now().instant)) {
    log_.warning("the hook {} was refused: {}{}", dialect.name, cause,
                 *held_back == 0 ? "" : text::format(" ({} more were refused before)", *held_back));
  }
}

}  // namespace concur
