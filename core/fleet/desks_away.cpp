// The desks' part about what is done while the engine cannot be asked.
#include "fleet/desks.hpp"
#include "fleet/session_lookup.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace concur {

namespace {

void mark_degraded(Answer& answer) {
  std::visit(
      [](auto& each) {
        if constexpr (requires { each.degraded; }) each.degraded = true;
      },
      answer);
}

}  // namespace

void Desks::refuse(Pending& pending, ErrorKind kind, const std::string& cause) {
  if (!pending.command) return;
  ++to_.counts.local_decisions.refused;
  pending.reply(Error{kind, "cannot ask the fleet's engine: " + cause});
}

// Starts by the policy, all else by what is known here; each is told so.
void Desks::decide_away(Desk& desk, const std::string& cause, bool unknown) {
  desk.decided = {};
  const Now now = to_.clock.now();
  const Millis ahead = ahead_of(desk, now);
  const Instant there = now.instant + ahead;
  ReadUser read = read_user(desk.user, desk.away ? *desk.away : desk.known, there);
  bound_leases(read.state, to_.judge.policy().longest, there);
  to_.served.forget_over(desk.user, now.instant);
  to_.served.heal(read.state, box_, ahead, now.instant);
  std::vector<Pending> refused;
  std::erase_if(desk.deciding, [&](Pending& each) {
    if (!each.command) return false;
    const Command& command = each.command->get();
    bool takes = std::holds_alternative<End>(command);
    if (const auto* start = std::get_if<Start>(&command)) {
      const auto* known = find_session(read.state.sessions, start->session.text());
      const bool renews = known != nullptr && known->row.expires > there;
      takes = renews || unavailable_ != Unavailable::kDeny;
      if (!takes && unknown && each.start != 0) {
        GoneRow gone;
        gone.session = start->session.text();
        gone.reason = EndReason::kEnded;
        gone.at = now.instant;
        gone.ttl = start->ttl.value_or(to_.judge.policy().lease);
        gone.row = each.start;
        to_.served.withdraw(desk.user, std::move(gone));
      }
      if (takes && !renews && unavailable_ == Unavailable::kAllow) {
        Start unlimited = *start;
        unlimited.limit = kUnlimited;
        KeptCommand kept{Command(unlimited)};
        each.command = std::move(kept);
      }
    } else if (const auto* beat = std::get_if<Heartbeat>(&command)) {
      const std::string_view name = beat->session.text();
      auto* known = find_session(read.state.sessions, name);
      auto* gone = find_session(read.state.gone, name);
      if (gone != nullptr && gone->row.reason == EndReason::kExpired) {
        read.state.gone.erase(read.state.gone.begin() + (gone - read.state.gone.data()));
        gone = nullptr;
      }
      const bool is_known = (known != nullptr && known->row.expires > there) || gone != nullptr;
      takes = is_known || unavailable_ != Unavailable::kDeny;
      if (takes && !is_known) {
        // Somebody plays it: another box's, or one that was forgotten here.
        if (known == nullptr) {
          UserState::Session adopted;
          adopted.row.session = name;
          adopted.row.id = beat->start ? static_cast<std::int64_t>(beat->start->id) : 0;
          if (adopted.row.id <= 0 || adopted.row.id > new_start(there)) {
            adopted.row.id = new_start(there);
          }
          adopted.row.started = there;
          adopted.row.ttl = beat->ttl.value_or(to_.judge.policy().lease);
          read.state.sessions.push_back(std::move(adopted));
          known = &read.state.sessions.back();
        }
        known->row.last_seen = there;
        known->row.expires = there + known->row.ttl;
      }
    }
    if (!takes) refused.push_back(std::move(each));
    return !takes;
  });
  Decided decided = judge(desk, read, now, ahead, true);
  for (Answer& each : decided.answers) {
    mark_degraded(each);
    if (const auto* granted = std::get_if<Granted>(&each)) {
      ++(granted->renewed ? to_.counts.local_decisions.renewed
                          : to_.counts.local_decisions.started);
    } else if (std::holds_alternative<Denied>(each)) {
      ++to_.counts.local_decisions.denied;
    } else if (std::holds_alternative<Ended>(each)) {
      ++to_.counts.local_decisions.ended;
    }
  }
  desk.away = write_user(decided.after);
  unsynced_.insert(desk.user);
  to_.served.update(decided.after, box_, std::move(decided.removed), ahead, now.instant, false);
  to_.judge.count(desk.user, decided.notes, decided.now);
  to_.publish(std::move(decided.events));
  const ErrorKind kind = unknown ? ErrorKind::kTimeout : ErrorKind::kUnavailable;
  finish(desk, std::move(decided.answers));
  for (Pending& each : refused) {
    end_command();
    refuse(each, kind, cause);
  }
}

}  // namespace concur
