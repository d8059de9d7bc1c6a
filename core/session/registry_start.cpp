// The registry's first part: whether a session may start, and who makes room for it.
#include "session/registry.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <cassert>

namespace concur {

namespace {

constexpr std::size_t kMostUsageParts = 65'536;
constexpr std::size_t kPartsAtOnce = 2;  // more than come, for each that comes

std::unique_ptr<Details> copy_of(const Details& details) {
  return details.empty() ? nullptr : std::make_unique<Details>(details);
}

}  // namespace

Registry::Terms Registry::terms_of(Slot user) const {
  Terms terms{policy_.limit, policy_.on_limit, LimitSource::kDefault};
  if (user == kNoSlot) return terms;
  const UserRule& rule = table_.user(user).rule;
  if (rule.plan != kNoPlan && plans_[rule.plan].is_set) {
    const Plan& plan = plans_[rule.plan];
    terms = {plan.limit, plan.on_limit.value_or(terms.on_limit), LimitSource::kPlan};
  }
  if (rule.has_limit()) {
    terms.limit = rule.limit;
    terms.from = LimitSource::kUser;
  }
  if (rule.on_limit) terms.on_limit = *rule.on_limit;
  return terms;
}

Registry::Terms Registry::terms_of(Slot user, const Start& start) const {
  Terms terms = terms_of(user);
  terms.limit = start.limit.value_or(terms.limit);
  terms.on_limit = start.on_limit.value_or(terms.on_limit);
  return terms;
}

Answer Registry::decide(const Start& start, const Now& now) {
  const Slot user = table_.find_user(start.user.text());
  const Terms terms = terms_of(user, start);
  if (user != kNoSlot) {
    expire_due(user, now);
    const Slot slot = table_.find_session(user, start.session.text());
    if (is_active(slot)) return renew_by_start(start, slot, terms, now);
  }
  if (policy_.max_sessions != 0 && table_.active_sessions() >= policy_.max_sessions) {
    return Refused{
        {ErrorKind::kUnavailable,
         text::format("cannot start session {} of user {}: there are {} sessions, the most "
                      "that max-sessions allows",
                      start.session.text(), start.user.text(), policy_.max_sessions)}};
  }
  const std::uint32_t rate = policy_.start_rate;
  if (const auto wait = throttle_.refuse(start.user.text(), rate, now.instant)) {
    return Throttled{std::string(start.user.text()), std::string(start.session.text()), rate,
                     *wait};
  }
  if (user == kNoSlot) return start_new(start, terms, now, Room());

  const Room room = find_room(start, user, terms, now);
  const bool observes = policy_.mode == Mode::kObserve;
  if (!room.fits) {
    tell_denied(start, user, terms.limit, now);
    if (!observes) {
      count_attempt(user, start, terms, room, Attempt::Outcome::kRefused, now);
      Denied denied = deny(start, user, table_.user(user).active + 1, terms.limit, now);
      denied.hold_off = room.held;
      return denied;
    }
  }
  std::vector<std::string> leaving = names_of(room.leaving);
  std::vector<std::string> oldest = names_of(room.oldest);
  for (const Slot each : room.leaving) {
    evict(each, start, !(room.reconnects && each == room.leaving.front()), now);
  }
  if (!observes) {
    for (const Slot each : room.oldest) evict(each, start, true, now);
    leaving.insert(leaving.end(), std::move_iterator(oldest.begin()),
                   std::move_iterator(oldest.end()));
    oldest.clear();
  }
  Granted granted = start_new(start, terms, now, room);
  granted.evicted = std::move(leaving);
  granted.would_deny = !room.fits;
  granted.would_evict = std::move(oldest);
  return granted;
}

// As many as an answer lists.
std::vector<std::string> Registry::names_of(const std::vector<Slot>& slots) const {
  std::vector<std::string> names;
  for (const Slot slot : slots) {
    if (names.size() < kMaxListed) names.push_back(table_.session(slot).name.str());
  }
  return names;
}

Answer Registry::renew_by_start(const Start& start, Slot slot, const Terms& terms, const Now& now) {
  const Slot user = table_.session(slot).user;
  const std::uint32_t active = table_.user(user).active;
  const bool refused =
      start.refuse_repeat_above_limit && terms.limit != kUnlimited && active > terms.limit;
  if (refused) {
    tell_denied(start, user, terms.limit, now);
    Room room;
    room.fits = false;
    count_attempt(user, start, terms, room, Attempt::Outcome::kRepeated, now);
    if (policy_.mode == Mode::kEnforce) return deny(start, user, active, terms.limit, now);
  }
  // The row would keep the old lease until the sweeper came by, which judges by the new one: so the
  // answer waits for the save.
  const Millis ttl = table_.session(slot).ttl();
  const bool another_ttl = start.ttl && *start.ttl != ttl;
  if (another_ttl) set_ttl(table_.session(slot), *start.ttl);
  const bool described = describe(slot, start.details);
  Granted granted = renew(slot, {start.user, start.session}, terms.limit, now);
  granted.would_deny = refused;
  if (another_ttl) save(slot, ttl);
  if (another_ttl || described) table_.user(user).last_change = last_change();
  return granted;
}

// Who would leave, in the order of the rules: a reconnect keeps its slot, whatever the limit; a
// take-over and the policy may evict, unless this start is held off.
Registry::Room Registry::find_room(const Start& start, Slot user, const Terms& terms,
                                   const Now& now) const {
  Room room;
  const std::string_view device = start.details.device;
  const Slot same = device.empty() ? kNoSlot : table_.find_device(user, device);
  if (same != kNoSlot) {
    room.leaving.push_back(same);
    room.reconnects = true;
  }
  const std::size_t active = table_.user(user).active;
  const bool unlimited = terms.limit == kUnlimited;
  const bool full = !room.reconnects && !unlimited && active >= terms.limit;
  if (!start.replace && !full) return room;

  const Millis held = hold_offs_.left(user, start.session.text(), device, now.instant);
  bool would_help = false;
  if (start.replace) {
    const Slot target = table_.find_session(user, start.replace->text());
    if (is_active(target) && std::ranges::count(room.leaving, target) == 0) {
      if (held == Millis(0)) room.leaving.push_back(target);
      would_help = active <= terms.limit;
    }
  }
  if (room.reconnects || unlimited || active - room.leaving.size() < terms.limit) return room;
  if (terms.on_limit == OnLimit::kEvictOldest && held == Millis(0)) {
    choose_oldest(room, user, terms.limit);
    return room;
  }
  room.fits = false;
  if (held > Millis(0) && (would_help || terms.on_limit == OnLimit::kEvictOldest)) room.held = held;
  return room;
}

void Registry::choose_oldest(Room& room, Slot user, std::uint32_t limit) const {
  const std::size_t active = table_.user(user).active;
  Slot slot = table_.user(user).head;
  while (active - room.leaving.size() - room.oldest.size() >= limit) {
    assert(slot != kNoSlot);
    if (std::ranges::count(room.leaving, slot) == 0) room.oldest.push_back(slot);
    slot = table_.session(slot).next;
  }
}

Granted Registry::start_new(const Start& start, const Terms& terms, const Now& now,
                            const Room& room) {
  const Millis ttl = start.ttl.value_or(policy_.lease);
  const auto [slot, gone] = table_.add(start.user.text(), start.session.text());
  SessionSlot& session = table_.session(slot);
  session.row = next_row_++;
  set_ttl(session, ttl);
  session.set_started(now.instant);
  session.set_lease(now.instant, now.instant + ttl);
  UserSlot& owner = table_.user(session.user);
  owner.earliest = std::min(owner.earliest, session.expires());
  if (!start.details.empty()) table_.set_details(slot, start.details);
  record(session.user, Added{slot, gone},
         Insert{{session.row, std::string(start.user.text()), std::string(start.session.text()),
                 session.started(), now.instant, session.expires(), ttl, copy_of(start.details)}});
  std::unique_ptr<EventMore> more;
  if (!start.details.empty()) more = std::make_unique<EventMore>(EventMore{start.details, {}, {}});
  tell(EventKind::kStarted, session.user, session.name, owner.active, terms.limit, std::move(more),
       now);
  count_attempt(session.user, start, terms, room, Attempt::Outcome::kStarted, now);
  return grant(slot, {start.user, start.session}, terms.limit, false, now);
}

// A heartbeat changes memory alone; save() tells the store of it later.
Granted Registry::renew(Slot slot, const Names& names, std::uint32_t limit, const Now& now) {
  SessionSlot& session = table_.session(slot);
  const auto ahead = (now.instant - session.last_seen()).count() + session.unsaved_ms;
  session.unsaved_ms = static_cast<std::uint32_t>(std::clamp<std::int64_t>(ahead, 1, UINT32_MAX));
  session.set_lease(now.instant, now.instant + session.ttl());
  UserSlot& owner = table_.user(session.user);
  owner.earliest = std::min(owner.earliest, session.expires());
  if (tells_renewals_) {
    tell(EventKind::kRenewed, session.user, session.name, active_at(session.user, now.instant),
         limit, nullptr, now);
  }
  return grant(slot, names, limit, true, now);
}

// What the start tells anew of content and meta. True where it changed something.
bool Registry::describe(Slot slot, const Details& details) {
  static const Details kNothing;
  const Details* known = table_.details(slot);
  const Details& before = known != nullptr ? *known : kNothing;
  Details after = before;
  if (!details.content.empty()) after.content = details.content;
  if (!details.meta.empty()) after.meta = details.meta;
  if (after == before) return false;
  auto undo = std::make_unique<Described>(Described{slot, before});
  const SessionSlot& session = table_.session(slot);
  record(session.user, std::move(undo), Describe{session.row, after.content, after.meta});
  table_.set_details(slot, std::move(after));
  return true;
}

Granted Registry::grant(Slot slot, const Names& names, std::uint32_t limit, bool renewed,
                        const Now& now) {
  const SessionSlot& session = table_.session(slot);
  return {std::string(names.user.text()),
          std::string(names.session.text()),
          renewed,
          active_at(session.user, now.instant),
          limit,
          now.to_wall(session.expires()),
          heartbeat_interval(session.ttl())};
}

Denied Registry::deny(const Start& start, Slot user, std::uint32_t attempted, std::uint32_t limit,
                      const Now& now) const {
  const UserSlot& owner = table_.user(user);
  Denied denied{std::string(start.user.text()),
                std::string(start.session.text()),
                owner.active,
                attempted,
                limit,
                Millis::max(),
                {}};
  denied.sessions.reserve(std::min<std::size_t>(owner.active, kMaxListed));
  for (Slot slot = owner.head; slot != kNoSlot; slot = table_.session(slot).next) {
    denied.retry_after =
        std::min<Millis>(denied.retry_after, table_.session(slot).expires() - now.instant);
    if (denied.sessions.size() < kMaxListed) denied.sessions.push_back(info(slot, now));
  }
  return denied;
}

void Registry::count_attempt(Slot user, const Start& start, const Terms& terms, const Room& room,
                             Attempt::Outcome outcome, const Now& now) {
  Attempt attempt{start.session.text(),
                  start.details.device,
                  start.details.ip,
                  table_.user(user).active,
                  terms.limit,
                  outcome,
                  !room.fits};
  if (outcome == Attempt::Outcome::kStarted) {
    const std::size_t reconnects = room.reconnects ? 1 : 0;
    // Observed, nobody left: enforced, there would be room for all but this one.
    const std::size_t oldest = policy_.mode == Mode::kEnforce
                                   ? room.oldest.size()
                                   : std::min<std::size_t>(room.oldest.size(), 1);
    attempt.evictions = static_cast<std::uint32_t>(room.leaving.size() - reconnects + oldest);
  }
  if (policy_.mode == Mode::kEnforce) {
    for (const Slot slot : room.oldest) {
      const Details* details = table_.details(slot);
      const bool on_device = details != nullptr && !details->device.empty();
      attempt.evicted.push_back(on_device ? details->device : table_.session(slot).name.str());
    }
  }
  bool added = false;
  auto before = usage_.count(user, attempt, policy_.lease, now, added);
  if (added) table_.hold(user);
  if (before) add_usage(std::move(*before), now);
  if (usage_.size() > kMostUsageParts) forget_usage(kPartsAtOnce, true, now);
}

void Registry::evict(Slot slot, const Start& by, bool holds_off, const Now& now) {
  table_.set_evicted_by(slot, {std::string(by.session.text()), by.details.device});
  if (holds_off) hold_off(slot, now);
  remove(slot, SlotState::kEvicted, now);
}

}  // namespace concur
