#include "session/registry.hpp"

#include "session/broken.hpp"

#include <algorithm>
#include <cassert>
#include <optional>

namespace concur {

namespace {

EventKind event_of(SlotState why) {
  switch (why) {
    case SlotState::kExpired:
      return EventKind::kExpired;
    case SlotState::kEvicted:
      return EventKind::kEvicted;
    case SlotState::kPurged:
      return EventKind::kPurged;
    case SlotState::kDenied:
      return EventKind::kDenied;
    case SlotState::kFree:
    case SlotState::kActive:
    case SlotState::kEnded:
      break;
  }
  return EventKind::kEnded;
}

std::optional<Id> user_of(const Command& command) {
  return std::visit(
      [](const auto& c) -> std::optional<Id> {
        if constexpr (requires { c.user; }) {
          return c.user;
        } else {
          return std::nullopt;
        }
      },
      command);
}

}  // namespace

Decision Registry::apply(const Command& command, const Now& now) {
  state_->table.run_prefetches();
  Decision decision{std::visit([&](const auto& c) { return decide(c, now); }, command)};
  if (changes_.all_durable()) return decision;
  // What concerns all users waits for all there is.
  const auto id = user_of(command);
  const Sequence waits_for =
      id ? last_change_of(state_->table.find_user(id->text())) : changes_.last();
  if (waits_for > changes_.durable()) decision.waits_for = waits_for;
  return decision;
}

void Registry::roll_back() {
  outbox_.drop_after(changes_.durable());
  state_->replaced.roll_back_after(changes_.durable());
  changes_.roll_back(*state_);
}

Sequence Registry::last_change_of(Slot user) const {
  return user == kNoSlot
             ? plans_changed_
             : std::max(plans_changed_, static_cast<Sequence>(state_->user(user).last_change));
}

void Registry::set_policy(const Policy& policy, const Now& now) {
  const bool another_limit = policy.limit != policy_.limit;
  policy_ = policy;
  bound_memory();
  state_->set_longest(policy_.longest, now.instant);
  if (another_limit) publish_limit({}, {}, policy_.limit, false, now);
}

Answer Registry::decide(const Heartbeat& beat, const Now& now) {
  const Slot user = state_->table.find_user(beat.user.text());
  if (user != kNoSlot) {
    settle_overlap(user, now);
    const Slot slot = state_->table.find_session(user, beat.session.text());
    if (slot != kNoSlot) {
      // Of the user's other sessions none is ended here, but who was let in for a while: else a
      // heartbeat that is allowed, and brings no other lease, never needs the disk.
      SessionSlot& session = state_->session(slot);
      if (state_->is_other_start(beat.start, slot, now.instant)) {
        return Gone{std::string(beat.user.text()), std::string(beat.session.text()),
                    EndReason::kOtherStart};
      }
      const bool active = session.state == SlotState::kActive;
      if (active && session.expires() > now.instant) {
        if (beat.start) session.learn_start(*beat.start, now.instant);
        return renew(slot, {beat.user, beat.session, beat.ttl}, terms_of(user).limit, now);
      }
      if (active) expire_due(user, now);
      if (!active && take_overs(now).plays_on(slot)) count_conflict(user, now);
      const SlotState state = session.state;
      if (!state_->is_remembered(slot, now.instant)) {
        return Unknown{std::string(beat.user.text()), std::string(beat.session.text())};
      }
      Gone gone{std::string(beat.user.text()), std::string(beat.session.text()), reason_of(state),
                state_->eviction_of(slot, now)};
      gone.message = state_->message_of(slot);
      return gone;
    }
  }
  return Unknown{std::string(beat.user.text()), std::string(beat.session.text())};
}

// Whether somebody, its player among them, ended the session, and it is remembered. One that
// expired only gave no sign of life, and one that was denied may ask again.
bool Registry::keeps_out(Slot slot, const Now& now) const {
  if (slot == kNoSlot) return false;
  const SlotState state = state_->session(slot).state;
  return state != SlotState::kExpired && state != SlotState::kDenied &&
         state_->is_remembered(slot, now.instant);
}

Gone Registry::refuse_revival(const Start& start, Slot slot, const Terms& terms, const Now& now) {
  const Slot user = state_->session(slot).user;
  if (take_overs(now).plays_on(slot)) count_conflict(user, now);
  Gone gone{std::string(start.user.text()), std::string(start.session.text()),
            reason_of(state_->session(slot).state), state_->eviction_of(slot, now)};
  gone.message = state_->message_of(slot);
  gone.active = state_->user(user).active;
  gone.limit = terms.limit;
  return gone;
}

Answer Registry::decide(const End& end, const Now& now) {
  Ended answer{std::string(end.user.text()), std::string(end.session.text()), false, 0, {}, {}};
  const Slot user = state_->table.find_user(end.user.text());
  if (user == kNoSlot) return answer;
  expire_due(user, now);
  const Slot slot = state_->table.find_session(user, end.session.text());
  if (slot != kNoSlot) {
    const SlotState state = state_->session(slot).state;
    if (state_->is_other_start(end.start, slot, now.instant)) {
      answer.reason = EndReason::kOtherStart;
    } else if (state == SlotState::kActive) {
      if (!end.message.empty()) state_->table.set_message(slot, end.message);
      remove(slot, SlotState::kEnded, now);
      answer.ended = true;
    } else if (state_->is_remembered(slot, now.instant)) {
      answer.reason = reason_of(state);
      answer.eviction = state_->eviction_of(slot, now);
      answer.message = state_->message_of(slot);
    }
  }
  answer.active = state_->user(user).active;
  return answer;
}

// Lists change nothing: what has expired is passed over and left for its user's next command or the
// sweeper. But who was let in for a while may have to go.
Answer Registry::decide(const ListUser& list, const Now& now) {
  const auto after = list.after.number(INT64_MAX);
  if (!after) return Refused{list.after.not_ours()};
  const auto last_row = static_cast<std::int64_t>(*after);
  const Slot user = state_->table.find_user(list.user.text());
  UserSessions answer{
      std::string(list.user.text()), 0, terms_of(user).limit, {}, {}, false, policy_.counts};
  if (user == kNoSlot) return answer;
  settle_overlap(user, now);
  answer.active = state_->active_at(user, now.instant);
  answer.blocked = state_->blocks.find(user, now.instant) != nullptr;
  for (Slot slot = state_->user(user).head, next = kNoSlot; slot != kNoSlot; slot = next) {
    const SessionSlot& session = state_->session(slot);
    next = session.next;
    if (session.row <= last_row || session.expires() <= now.instant) continue;
    if (answer.sessions.size() == list.most) {
      const std::int64_t row = state_->session(session.prev).row;
      answer.next = Cursor::at(static_cast<std::uint64_t>(row));
      break;
    }
    state_->append_info(answer.sessions, slot, now);
  }
  return answer;
}

Answer Registry::decide(const ListAll& list, const Now& now) {
  const auto after = list.after.number(kNoSlot);
  if (!after) return Refused{list.after.not_ours()};
  Page page;
  const Slot end = state_->table.end();
  Slot slot = static_cast<Slot>(std::min<std::uint64_t>(*after, end));
  for (const Slot stop = slot + std::min(kListStep, end - slot); slot < stop; ++slot) {
    const SessionSlot& session = state_->session(slot);
    if (session.state == SlotState::kActive) settle_overlap(session.user, now);
    if (session.state != SlotState::kActive || session.expires() <= now.instant) continue;
    if (page.sessions.size() == list.most) break;
    state_->append_info(page.sessions, slot, now);
  }
  if (slot < end) page.next = Cursor::at(slot);
  return page;
}

// --- terms ---

Terms Registry::terms_of(Slot user) const {
  if (user == kNoSlot) return concur::terms_of(policy_, {}, {});
  const UserRule& rule = state_->user(user).rule;
  return concur::terms_of(policy_, state_->plans.terms_of(rule.plan), rule.terms());
}

std::vector<RuleInForce> Registry::rules_of(Slot user) const {
  std::vector<RuleInForce> rules;
  if (!policy_.rules) return rules;
  const UserRule* rule = user == kNoSlot ? nullptr : &state_->user(user).rule;
  const RuleNumbers* own =
      rule != nullptr && rule->has_numbers ? state_->rule_numbers(user) : nullptr;
  const RuleNumbers* plan = rule == nullptr ? nullptr : state_->plans.numbers_of(rule->plan);
  rules.reserve(policy_.rules->all().size());
  for (const Rule& each : policy_.rules->all()) {
    std::optional<std::uint32_t> number;
    if (own != nullptr) number = own->find(each.name);
    if (!number && plan != nullptr) number = plan->find(each.name);
    rules.push_back({&each, number.value_or(each.max)});
  }
  return rules;
}

// --- ending ---

// Until `earliest` no session of the user can have expired: so most checks need no walk. All that
// have expired leave the count first, so that each event about them carries the same count. Who was
// let in for a while is judged before that.
void Registry::expire_due(Slot user, const Now& now) {
  if (now.instant < state_->user(user).earliest) return;
  settle_overlap(user, now);
  const std::uint32_t active = state_->active_at(user, now.instant);
  if (active == state_->user(user).active) return;
  Instant earliest = Instant::max();
  for (Slot slot = state_->user(user).head; slot != kNoSlot;) {
    const SessionSlot& session = state_->session(slot);
    const Slot next = session.next;
    if (session.expires() <= now.instant) {
      remove(slot, SlotState::kExpired, active, now);
    } else {
      earliest = std::min(earliest, state_->stays_until(slot));
    }
    slot = next;
  }
  state_->user(user).earliest = earliest;
}

// None of the user's other sessions has expired, unseen.
void Registry::remove(Slot slot, SlotState why, const Now& now) {
  remove(slot, why, state_->user(state_->session(slot).user).active - 1, now);
}

// It is no longer active; nobody is told so. `of_why` goes with the row that says why it went, of
// those that have one.
void Registry::take_off(Slot slot, SlotState why, Instant went, Undo of_why) {
  SessionSlot& session = state_->session(slot);
  state_->unlink(slot);
  const Int48 started_ms = session.started_ms;
  const Int48 expires_ms = session.expires_ms;
  session.state = why;
  session.started_ms = state_->next_gone();
  session.set_expires(went);
  record(session.user, undo::Removed{slot, started_ms, expires_ms}, Remove{session.row});
  if (state_->is_stored_gone(slot))
    record(session.user, std::move(of_why), PutGone{state_->gone_row(slot)});
}

void Registry::remove(Slot slot, SlotState why, std::uint32_t active, const Now& now) {
  take_off(slot, why, now.instant);
  const SessionSlot& session = state_->session(slot);
  std::unique_ptr<EventMore> more;
  if (const EvictedBy* by = state_->table.evicted_by(slot)) {
    more = std::make_unique<EventMore>(EventMore{{}, *by, {}});
  } else if (const std::string* message = state_->table.message(slot)) {
    more = std::make_unique<EventMore>();
    more->message = *message;
  }
  publish(event_of(why), session.user, session.name, active, 0, std::move(more), now);
}

void Registry::bound_memory() {
  state_->set_memory(std::max({policy_.lease, policy_.hold_off, kRememberGone}),
                     policy_.max_sessions);
}

// --- publishing ---

void Registry::publish(EventKind kind, Slot user, const PackedText& session, std::uint32_t active,
                       std::uint32_t limit, std::unique_ptr<EventMore> more, const Now& now) {
  const bool ends_session = more && more->provisional.value_or(false);
  const bool is_change =
      kind != EventKind::kRenewed && (kind != EventKind::kDenied || ends_session);
  if (!is_change && !outbox_.has_room()) return;
  Event event;
  event.kind = kind;
  event.would_deny = kind == EventKind::kDenied && policy_.mode == Mode::kObserve;
  event.active = active;
  event.limit = limit;
  event.user = state_->user(user).name.copy();
  event.session = session.copy();
  event.at = now.wall();
  event.more = std::move(more);
  outbox_.add(std::move(event), last_change_of(user));
}

void Registry::publish_denied(const Start& start, Slot user, std::uint32_t limit,
                              const std::vector<Violation>& violations, const Now& now) {
  std::unique_ptr<EventMore> more;
  if (!start.details.empty()) more = std::make_unique<EventMore>(EventMore{start.details, {}, {}});
  if (const std::string rule = rule_named(violations); !rule.empty()) {
    if (!more) more = std::make_unique<EventMore>();
    more->rule = rule;
  }
  if (start.waited) {
    if (!more) more = std::make_unique<EventMore>();
    more->waited = start.waited;
  }
  publish(EventKind::kDenied, user, PackedText(start.session.text()), state_->user(user).active,
          limit_named(limit, violations), std::move(more), now);
}

void Registry::publish_limit(std::string_view user, std::string_view plan, std::uint32_t limit,
                             bool removed, const Now& now) {
  Event event;
  event.kind = EventKind::kLimitChanged;
  event.removed = removed;
  event.limit = limit;
  event.user = PackedText(user);
  event.at = now.wall();
  if (!plan.empty()) {
    event.more = std::make_unique<EventMore>(EventMore{{}, {}, std::string(plan)});
  }
  // The daemon's own default is no change to store.
  outbox_.add(std::move(event), user.empty() && plan.empty() ? 0 : changes_.last());
}

}  // namespace concur
