// The desks' part about deciding: what commands lead to on a user's state, whoever commits it.
#include "base/text.hpp"
#include "fleet/desks.hpp"
#include "fleet/gone_memory.hpp"
#include "fleet/session_lookup.hpp"
#include "session/id.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace concur {

namespace {

std::string_view session_of(const Command& command) {
  if (const auto* start = std::get_if<Start>(&command)) return start->session.text();
  if (const auto* beat = std::get_if<Heartbeat>(&command)) return beat->session.text();
  return {};
}

bool is_in(const std::vector<std::pair<std::string, Instant>>& gone, const GoneRow& row) {
  return std::ranges::find(gone, std::pair(row.session, row.at)) != gone.end();
}

EventKind event_of(EndReason reason) {
  switch (reason) {
    case EndReason::kExpired:
      return EventKind::kExpired;
    case EndReason::kEvicted:
      return EventKind::kEvicted;
    case EndReason::kPurged:
      return EventKind::kPurged;
    case EndReason::kDenied:
      return EventKind::kDenied;
    case EndReason::kEnded:
    case EndReason::kOtherStart:
      break;
  }
  return EventKind::kEnded;
}

// A session's lease, as it was read.
struct Lease {
  std::string session;
  std::int64_t id = 0;
  Millis ttl{};
  std::uint32_t start = 0;
  Instant last_seen;
  Instant expires;
};

Lease lease_of(const Row& row) {
  return {row.session, row.id, row.ttl, row.start, row.last_seen, row.expires};
}

// Whose lease nobody renewed keeps it to the millisecond: another box may have given it by a clock
// that it knows better, and to write it would say that this one serves it.
void keep_leases(const std::vector<Lease>& leases, const std::vector<std::string>& renewed,
                 UserState& state) {
  for (const Lease& each : leases) {
    auto* const session = find_session(state.sessions, each.session);
    if (session == nullptr || session->row.id != each.id || session->row.ttl != each.ttl ||
        session->row.start != each.start ||
        std::ranges::find(renewed, each.session) != renewed.end()) {
      continue;
    }
    session->row.last_seen = each.last_seen;
    session->row.expires = each.expires;
  }
}

}  // namespace

// After a cut-off that was too long, what is only known here is more only within the limit.
std::size_t Desks::heal(UserState& state, const Now& now, Millis ahead) {
  const bool is_long = cut_off_at_ && now.instant - *cut_off_at_ > kMaxCutOff;
  const Instant since = is_long ? now.instant - kMaxCutOff : agreed_since_;
  const std::size_t limit =
      to_.served.has_any_since(state.user, since) ? limit_of(state, now) : SIZE_MAX;
  return to_.served.heal(state, box_, ahead, now.instant, since, limit);
}

std::size_t Desks::limit_of(const UserState& state, const Now& now) {
  UserState terms;
  terms.user = state.user;
  terms.rule = state.rule;
  const auto user = Id::parse("user", state.user);
  if (!user) return SIZE_MAX;
  to_.judge.open(std::move(terms), now);
  const Answer shown = to_.judge.apply(ShowLimit{*user}, 1);
  to_.judge.close();
  const auto* const limit = std::get_if<UserLimit>(&shown);
  return limit == nullptr || limit->limit == kUnlimited ? SIZE_MAX : limit->limit;
}

// What the commands lead to on that state, which is used up.
Desks::Decided Desks::judge(Desk& desk, ReadUser& read, const Now& now, Millis ahead, bool away) {
  Decided decided;
  decided.ahead = ahead;
  decided.now = {now.instant + ahead, {}, now.asleep, now.since_boot};
  const Instant there = decided.now.instant;
  decided.reclaimed =
      away ? to_.served.heal(read.state, box_, ahead, now.instant) : heal(read.state, now, ahead);
  if (away && unavailable_ == Unavailable::kLocal) {
    // Only this box's sessions make room for others: the rest are as protected.
    for (const UserState::Session& each : read.state.sessions) {
      if (each.box == box_) continue;
      const Details details = each.row.details ? *each.row.details : Details();
      read.state.marks.push_back(
          {0, {}, each.row.session, details.device, there, details.ip, Mark::kProtected});
    }
  }
  std::vector<Lease> leases;
  for (const UserState::Session& each : read.state.sessions) leases.push_back(lease_of(each.row));
  for (UserState::Session& each : read.state.sessions) {
    // As if it had another moment.
    Instant& expires = each.row.expires;
    const Instant patience = expires + heartbeat_interval(each.row.ttl);
    if (now.instant < grace_until_ && expires <= there && patience > there) {
      expires = there + Millis(1);
    }
  }
  std::vector<std::pair<std::string, Instant>> gone_before;
  for (const auto& each : read.state.gone) gone_before.emplace_back(each.row.session, each.row.at);
  std::vector<std::pair<std::string, std::uint64_t>> boxes;
  std::int64_t last_start = 0;
  for (const auto& each : read.state.sessions) {
    boxes.emplace_back(each.row.session, each.box);
    last_start = std::max(last_start, each.row.id);
  }
  for (const auto& each : read.state.gone) last_start = std::max(last_start, each.row.row);
  UserState before;  // what the commands are looked up in
  before.user = desk.user;
  before.rule = read.state.rule;
  before.block = read.state.block;
  for (const auto& each : read.state.sessions) {
    UserState::Session session;
    session.row.session = each.row.session;
    session.row.expires = each.row.expires;
    before.sessions.push_back(std::move(session));
  }
  to_.judge.open(std::move(read.state), decided.now);
  std::vector<std::string> here;
  for (Pending& each : desk.deciding) {
    if (!each.command) {
      to_.judge.expire();
      decided.answers.emplace_back(Unknown{});
      continue;
    }
    decided.answers.push_back(judge_one(each, before, last_start, decided.now));
    if (std::holds_alternative<Granted>(decided.answers.back())) {
      here.emplace_back(session_of(each.command->get()));
    }
  }
  decided.after = to_.judge.close();
  decided.events = to_.judge.take_events();
  decided.notes = to_.judge.take_notes();
  for (UserState::Session& each : decided.after.sessions) {
    if (std::ranges::find(here, each.row.session) != here.end()) each.box = box_;
  }
  for (Answer& each : decided.answers) name_boxes(each, decided.after);
  keep_leases(leases, here, decided.after);
  for (UserState::Gone& each : decided.after.gone) {
    if (is_in(gone_before, each.row)) continue;
    const auto box =
        std::ranges::find(boxes, each.row.session, &std::pair<std::string, std::uint64_t>::first);
    each.far = box != boxes.end() && box->second != box_;
    if (each.far && each.row.reason != EndReason::kExpired) decided.to_tell.push_back(box->second);
    if (each.row.reason != EndReason::kExpired) decided.removed.push_back(copy_of(each.row));
  }
  prune_gone(to_.judge.policy(), decided.after, there);
  std::erase_if(decided.after.marks, [](const HoldOffRow& each) { return each.id == 0; });
  return decided;
}

// Says of the sessions that it lists who serves them.
void Desks::name_boxes(Answer& answer, const UserState& state) const {
  std::vector<SessionInfo>* listed = nullptr;
  if (auto* denied = std::get_if<Denied>(&answer)) listed = &denied->sessions;
  if (auto* sessions = std::get_if<UserSessions>(&answer)) listed = &sessions->sessions;
  if (listed == nullptr) return;
  for (SessionInfo& each : *listed) {
    if (const auto* known = find_session(state.sessions, each.session)) {
      each.box = to_.label_of(known->box);
    }
  }
}

Answer Desks::judge_one(Pending& pending, const UserState& before, std::int64_t& last_start,
                        const Now& now) {
  const Command& command = pending.command->get();
  const auto* const start = std::get_if<Start>(&command);
  if (pending.where_unset) {
    const auto* const limit = std::get_if<SetLimit>(&command);
    if (limit != nullptr && !before.rule.empty()) {
      return to_.judge.apply(ShowLimit{limit->user}, last_start + 1);
    }
    if (limit == nullptr && before.block && !before.block->is_over(now.instant)) {
      return to_.judge.apply(ShowBlock{std::get<SetBlock>(command).user}, last_start + 1);
    }
  }
  if (start == nullptr) return to_.judge.apply(command, last_start + 1);
  const auto* const known = find_session(before.sessions, start->session.text());
  const bool is_new = known == nullptr || known->row.expires <= now.instant;
  const std::uint32_t most = to_.judge.policy().max_sessions;
  if (is_new && most != 0 && to_.served.sessions() >= most) {
    return Refused{{ErrorKind::kUnavailable,
                    text::format("cannot start session {} of user {}: there are {} sessions, the "
                                 "most that max-sessions allows",
                                 start->session.text(), start->user.text(), most)}};
  }
  if (is_new && before.sessions.size() >= kMaxFleetSessions) {
    return Refused{{ErrorKind::kUnavailable,
                    text::format("cannot start session {} of user {}: the user has {} sessions, "
                                 "the most in a fleet",
                                 start->session.text(), start->user.text(), kMaxFleetSessions)}};
  }
  if (pending.start <= last_start) pending.start = std::max(new_start(now.instant), last_start + 1);
  last_start = pending.start;
  return to_.judge.apply(command, pending.start);
}

// Sessions served here that another box ended: whoever watches at this box is told, too.
void Desks::notice_taken(Decided& decided) const {
  const Served::OfUser* const of = to_.served.find(decided.after.user);
  if (of == nullptr) return;
  for (const Served::Session& each : of->sessions) {
    const auto* const gone = find_session(decided.after.gone, each.row.session);
    if (gone == nullptr || gone->row.row != each.row.id) continue;
    if (gone->row.reason == EndReason::kExpired) continue;
    const bool by_us = std::ranges::any_of(decided.removed, [&each](const GoneRow& removed) {
      return removed.session == each.row.session;
    });
    if (by_us) continue;
    Event event;
    event.kind = event_of(gone->row.reason);
    event.active = static_cast<std::uint32_t>(decided.after.sessions.size());
    event.user = PackedText(decided.after.user);
    event.session = PackedText(each.row.session);
    event.at = WallTime(gone->row.at.time_since_epoch());
    if (gone->row.reason == EndReason::kDenied) {
      event.more = std::make_unique<EventMore>();
      event.more->provisional = true;
    } else if (gone->row.by) {
      event.more = std::make_unique<EventMore>(EventMore{{}, *gone->row.by, {}});
    } else if (!gone->row.message.empty()) {
      event.more = std::make_unique<EventMore>();
      event.more->message = gone->row.message;
    }
    decided.events.push_back(std::move(event));
  }
}

}  // namespace concur
