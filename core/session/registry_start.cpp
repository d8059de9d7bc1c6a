// The registry's part about starts and renewals.
#include "session/registry.hpp"

#include "base/text.hpp"
#include "rules/address.hpp"
#include "session/broken.hpp"
#include "session/held_user.hpp"

#include <algorithm>
#include <iterator>

namespace concur {

namespace {

constexpr std::size_t kMaxUsageParts = 65'536;
constexpr std::size_t kPartsAtOnce = 2;  // more than come, for each that comes

std::unique_ptr<Details> copy_of(const Details& details) {
  return details.empty() ? nullptr : std::make_unique<Details>(details);
}

// As many as an answer lists.
void append_names(State& state, const std::vector<SessionRef>& sessions,
                  std::vector<std::string>& names) {
  const std::size_t count = std::min<std::size_t>(sessions.size(), kMaxListed);
  for (std::size_t i = 0; i < count; ++i) names.push_back(state.session(sessions[i]).name.str());
}

void name_leaving(State& state, const Admission& admission, Granted& granted) {
  if (admission.reconnected) {
    granted.evicted.push_back(state.session(*admission.reconnected).name.str());
  }
  append_names(state, admission.replaced, granted.evicted);
  append_names(state, admission.evicted, granted.evicted);
  append_names(state, admission.would_evict, granted.would_evict);
}

// The names as the command spells them: they need not be unpacked.
Granted grant(State& state, const SessionSlot& granted, Id user, Id session, std::uint32_t limit,
              const Now& now) {
  return {std::string(user.text()),
          std::string(session.text()),
          false,
          state.active_at(granted.user, now.instant),
          limit,
          now.to_wall(granted.expires()),
          heartbeat_interval(granted.ttl()),
          granted.token()};
}

}  // namespace

Answer Registry::decide(const Start& start, const Now& now) {
  Slot user = state_->table.find_user(start.user.text());
  Terms terms = concur::terms_of(terms_of(user), {start.limit, start.on_limit});
  if (policy_.rules) terms.rules = rules_of(user);
  if (user != kNoSlot) {
    expire_due(user, now);
    const Slot slot = state_->table.find_session(user, start.session.text());
    if (state_->is_active(slot)) return renew_by_start(start, slot, terms, now);
    if (const Block* block = state_->blocks.find(user, now.instant)) {
      return refuse_blocked(start, user, *block, terms, now);
    }
    if (start.never_revives && keeps_out(slot, now)) return refuse_revival(start, slot, terms, now);
  }
  if (auto lacking = refuse_lacking(start)) return std::move(*lacking);
  const Admission admission =
      admit(applicant_of(start), terms, HeldUser(*state_, user, policy_.hold_off, now.instant));
  const Judged judged{start, terms, admission};
  if (admission.verdict != Admission::Verdict::kDenied) {
    // Only of what would start: a denial is one, however full the daemon or busy its user.
    if (auto refused = refuse_admitted(judged, user, now)) return std::move(*refused);
    const bool observed = admission.verdict == Admission::Verdict::kWouldDeny;
    // What a rule forbids may be the first that is known of the user.
    const UserRef kept = observed ? state_->table.keep(start.user.text()) : UserRef();
    if (observed) publish_denied(start, kept.slot(), terms.limit, admission.violations, now);
    return start_new(judged, now);
  }
  const UserRef kept = user == kNoSlot ? state_->table.keep(start.user.text()) : UserRef();
  if (user == kNoSlot) user = kept.slot();
  if (!start.tries) {
    publish_denied(start, user, terms.limit, admission.violations, now);
    count_attempt(user, judged, Attempt::Outcome::kRefused, now);
  }
  Denied denied = deny(start, user, terms, admission.violations, now);
  denied.hold_off = admission.held_off;
  return denied;
}

// Whoever starts by the first service's API cannot say anything of the session.
std::optional<Refused> Registry::refuse_lacking(const Start& start) const {
  if (policy_.required.empty() || start.refuse_repeat_above_limit) return std::nullopt;
  const auto& [device, ip, content, meta] = start.details;
  const Attributes attributes(device, ip, content, meta);
  for (const Attribute& each : policy_.required) {
    if (attributes.value_of(each)) continue;
    return Refused{{ErrorKind::kInvalid,
                    text::format("cannot start session {} of user {}: it does not say its {}, "
                                 "which is required",
                                 start.session.shown(), start.user.text(), name_of(each))}};
  }
  return std::nullopt;
}

// Why a start that the rules admit cannot be carried out. It counts for the throttle where it can.
std::optional<Answer> Registry::refuse_admitted(const Judged& judged, Slot user, const Now& now) {
  const std::string_view name = judged.start.user.text();
  const std::string_view session = judged.start.session.text();
  const std::size_t staying = state_->table.active_sessions() - leaving(judged.admission);
  if (policy_.max_sessions != 0 && staying >= policy_.max_sessions) {
    return Refused{
        {ErrorKind::kUnavailable,
         text::format("cannot start session {} of user {}: there are {} sessions, the most "
                      "that max-sessions allows",
                      session, name, policy_.max_sessions)}};
  }
  const std::uint32_t rate = policy_.start_rate;
  const auto wait = state_->throttle.refuse(name, rate, now.instant);
  if (!wait) return std::nullopt;
  return Throttled{std::string(name), std::string(session), rate,
                   user == kNoSlot ? 0 : state_->user(user).active, *wait};
}

Answer Registry::renew_by_start(const Start& start, Slot slot, const Terms& terms, const Now& now) {
  SessionSlot& session = state_->session(slot);
  const Slot user = session.user;
  const std::vector<Violation> violations = judge_change(start, slot, terms);
  const bool repeats =
      start.refuse_repeat_above_limit &&
      refuses_legacy_repeat(terms, HeldUser(*state_, user, policy_.hold_off, now.instant));
  const bool refused = repeats || !violations.empty();
  if (refused && !start.tries) {
    publish_denied(start, user, terms.limit, violations, now);
    Admission admission;
    admission.verdict = Admission::Verdict::kDenied;
    admission.violations = violations;
    count_attempt(user, {start, terms, admission}, Attempt::Outcome::kRepeated, now);
  }
  const bool denied = refused && terms.mode == Mode::kEnforce;
  if (denied && violations.empty()) return deny(start, user, terms, {}, now);
  if (!start.details.empty()) {
    count_place(slot, start.details, now);
    Details shown = start.details;
    if (denied) shown.content = shown.meta = {};  // it goes on as what it was
    describe(slot, shown);
  }
  take_over(session, start, now);
  Granted granted = renew(slot, {start.user, start.session, start.ttl}, terms.limit, now);
  if (denied) return deny(start, user, terms, violations, now);
  granted.would_deny = refused;
  if (refused) granted.broken = broken_of(violations);
  granted.counts = terms.counts;
  return granted;
}

// What has no room for the session with the content and meta that the start brings.
std::vector<Violation> Registry::judge_change(const Start& start, Slot slot, const Terms& terms) {
  if (!terms.look_at_attributes()) return {};
  const Details& before = details_of(*state_, slot);
  const auto& [device, ip, content, meta] = start.details;
  const std::string& new_content = content.empty() ? before.content : content;
  const std::string& new_meta = meta.empty() ? before.meta : meta;
  if (new_content == before.content && new_meta == before.meta) return {};
  return judge_renewal(slot, {before.device, before.ip, before.content, before.meta},
                       {before.device, before.ip, new_content, new_meta}, terms,
                       HeldUser(*state_, state_->session(slot).user, policy_.hold_off, {}));
}

// Which of its starts an active session is from now on.
void Registry::take_over(SessionSlot& session, const Start& start, const Now& now) {
  if (start.start && *start.start >= session.token()) {
    session.learn_start(*start.start, now.instant);
  } else if (!start.keeps_token) {
    session.start_again(now.instant);
  }
}

Granted Registry::start_new(const Judged& judged, const Now& now) {
  const auto& [start, terms, admission] = judged;
  std::unique_ptr<Overlap> overlap;  // before whose place it takes is gone
  if (admission.overlaps) overlap = std::make_unique<Overlap>(overlap_of(judged, now));
  if (admission.moves_somebody()) make_room(judged, now);
  const Millis ttl = start.ttl.value_or(policy_.lease);
  const auto [slot, gone_slot] = state_->add(start.user.text(), start.session.text());
  GoneQueue::One gone{gone_slot, {}};
  bool was_told = false;
  if (gone_slot != kNoSlot) {
    gone.number = state_->session(gone_slot).gone_number();
    was_told = state_->is_stored_gone(gone_slot);
  }
  SessionSlot& session = state_->session(slot);
  session.row = next_row_++;
  set_ttl(session, ttl);
  session.set_started(now.instant);
  state_->give_lease(session, now.instant, now.instant + ttl);
  UserSlot& owner = state_->user(session.user);
  owner.earliest = std::min(owner.earliest, session.expires());
  if (!start.details.empty()) state_->table.set_details(slot, start.details);
  if (overlap) state_->begin_overlap(slot, *overlap);
  record(session.user, undo::Started{slot, gone},
         Insert{{session.row, std::string(start.user.text()), std::string(start.session.text()),
                 session.started(), now.instant, session.expires(), ttl, copy_of(start.details), 0,
                 0, std::move(overlap)}});
  if (!admission.displaced.empty()) take_overs(now).protect(session.user, admission.viewer);
  if (admission.hands) {
    take_overs(now).change_hands(session.user, start, admission);
    if (admission.is_conflict) count_conflict(session.user, now);
  }
  if (was_told) record(session.user, undo::Forgotten{}, DropGone{gone.number, gone.number});
  std::unique_ptr<EventMore> more;
  if (!start.details.empty() || start.waited || admission.overlaps) {
    more = std::make_unique<EventMore>(EventMore{start.details, {}, {}, admission.begins_fight});
    more->waited = start.waited;
  }
  if (const auto ends = state_->overlap_end(slot)) {
    more->provisional = true;
    more->grace_ends_at = now.to_wall(*ends);
  }
  publish(EventKind::kStarted, session.user, session.name, owner.active, terms.limit,
          std::move(more), now);
  count_attempt(session.user, judged, Attempt::Outcome::kStarted, now);
  Granted granted = grant(*state_, session, start.user, start.session, terms.limit, now);
  granted.would_deny = admission.verdict == Admission::Verdict::kWouldDeny;
  if (granted.would_deny && terms.look_at_attributes()) {
    granted.broken = broken_of(admission.violations);
  }
  granted.counts = terms.counts;
  show_overlap(granted, slot, now);
  if (admission.moves_somebody()) name_leaving(*state_, admission, granted);
  return granted;
}

void Registry::make_room(const Judged& judged, const Now& now) {
  const auto& [start, terms, admission] = judged;
  TakeOvers past = take_overs(now);
  for (const Displaced& each : admission.displaced) past.hold_off(each);
  if (admission.reconnected) {
    evict(*admission.reconnected, start, now);
    past.remember_replaced(*admission.reconnected, Viewer{.device = start.details.device});
  }
  for (const Slot each : admission.replaced) evict(each, start, now);
  for (const Slot each : admission.evicted) evict(each, start, now);
  for (const Slot each : admission.own_by_address) past.remember_zapping(each, admission.viewer);
}

void Registry::evict(Slot slot, const Start& by, const Now& now) {
  state_->table.set_evicted_by(slot, {std::string(by.session.text()), by.details.device});
  remove(slot, SlotState::kEvicted, now);
}

void Registry::show_overlap(Granted& granted, Slot slot, const Now& now) {
  if (const auto ends = state_->overlap_end(slot)) granted.grace_ends_at = now.to_wall(*ends);
}

void Registry::count_conflict(Slot user, const Now& now) { count_place(user, {}, true, now); }

void Registry::count_place(Slot user, const Details& place, bool conflict, const Now& now) {
  if (taken_in_) {
    notes_.push_back({{}, place.device, place.ip, {}, std::nullopt, conflict, policy_.lease, now});
    return;
  }
  auto before =
      state_->usage.count_place(state_->table.keep(user), place.device, place.ip, conflict, now);
  if (before) add_usage(std::move(*before), now);
}

// A heartbeat changes memory alone; save() passes it to the store later.
Granted Registry::renew(Slot slot, const Renewal& renewal, std::uint32_t limit, const Now& now) {
  SessionSlot& session = state_->session(slot);
  const Millis ttl_before = session.ttl();
  const bool another_ttl = renewal.ttl && *renewal.ttl != ttl_before;
  if (another_ttl) set_ttl(session, *renewal.ttl);
  const auto ahead = (now.instant - session.last_seen()).count() + session.unsaved_ms;
  session.unsaved_ms = static_cast<std::uint32_t>(std::clamp<std::int64_t>(ahead, 1, UINT32_MAX));
  state_->give_lease(session, now.instant, now.instant + session.ttl());
  UserSlot& owner = state_->user(session.user);
  owner.earliest = std::min(owner.earliest, session.expires());
  Granted granted = grant(*state_, session, renewal.user, renewal.session, limit, now);
  granted.renewed = true;
  show_overlap(granted, slot, now);
  if (publishes_renewals_) {
    publish(EventKind::kRenewed, session.user, session.name, granted.active, limit, nullptr, now);
  }
  if (!another_ttl) return granted;
  // The row would keep the old lease until the sweeper came by, which judges by the new one: so the
  // answer waits for the save.
  save(slot, ttl_before);
  owner.last_change = static_cast<std::int64_t>(changes_.last());
  return granted;
}

// One session that is renewed from two devices, or from two households where the devices are not
// known, is watched by two. A device that moves only counts with its addresses.
void Registry::count_place(Slot slot, const Details& details, const Now& now) {
  const Details& known = details_of(*state_, slot);
  const bool other_device = !details.device.empty() && details.device != known.device;
  const bool other_address = !details.ip.empty() && details.ip != known.ip &&
                             household_of(details.ip) != household_of(known.ip);
  if (!other_device && !other_address) return;
  const bool devices_known = !details.device.empty() && !known.device.empty();
  const bool conflict = devices_known ? other_device : other_address && !known.ip.empty();
  count_place(state_->session(slot).user, details, conflict, now);
}

// What the start brings of a new address, content and meta.
void Registry::describe(Slot slot, const Details& details) {
  const Details& before = details_of(*state_, slot);
  Details after = before;
  if (!details.ip.empty()) after.ip = details.ip;
  if (!details.content.empty()) after.content = details.content;
  if (!details.meta.empty()) after.meta = details.meta;
  if (after == before) return;
  const SessionSlot& session = state_->session(slot);
  record(session.user, std::make_unique<undo::Described>(undo::Described{slot, before}),
         Describe{session.row, after.ip, after.content, after.meta});
  state_->table.set_details(slot, std::move(after));
}

void Registry::count_attempt(Slot user, const Judged& judged, Attempt::Outcome outcome,
                             const Now& now) {
  const auto& [start, terms, admission] = judged;
  Attempt attempt{start.session.text(),
                  start.details.device,
                  start.details.ip,
                  state_->user(user).active,
                  terms.limit,
                  outcome,
                  admission.verdict != Admission::Verdict::kAdmitted};
  // Whoever changes over watches no more than before.
  if (outcome == Attempt::Outcome::kStarted && admission.overlaps) --attempt.active;
  name_rule(attempt, admission.violations);
  if (outcome == Attempt::Outcome::kStarted) attempt.evictions = evictions_of(admission);
  for (const Displaced& each : admission.displaced) {
    if (!each.for_limit) continue;
    const std::string& device = details_of(*state_, each.session).device;
    attempt.evicted.push_back(device.empty() ? state_->session(each.session).name.str() : device);
  }
  count_attempt(user, std::move(attempt), now);
}

void Registry::count_attempt(Slot user, Attempt attempt, const Now& now) {
  if (taken_in_) {
    notes_.push_back({std::string(attempt.session), std::string(attempt.device),
                      std::string(attempt.address), std::string(attempt.rule), std::move(attempt),
                      false, policy_.lease, now});
    return;
  }
  auto before = state_->usage.count(state_->table.keep(user), attempt, policy_.lease, now);
  if (before) add_usage(std::move(*before), now);
  bound_usage(now);
}

// Which rule had no room.
void Registry::name_rule(Attempt& attempt, const std::vector<Violation>& violations) {
  if (violations.empty()) return;
  const Rule& first = violations.front().rule();
  if (first.name != kLimitName) attempt.rule = first.name;
  // Whoever is refused by what counts something else wants a stream too many, though the limit's
  // number of sessions is not reached.
  const bool counts_sessions = &first == &plain_limit_rule({});
  const bool refuses = attempt.outcome == Attempt::Outcome::kRefused;
  if (refuses && !counts_sessions && first.kind != Rule::Kind::kForbid) {
    attempt.limit = attempt.active;
  }
}

void Registry::bound_usage(const Now& now) {
  if (state_->usage.size() > kMaxUsageParts) flush_usage(kPartsAtOnce, true, now);
}

}  // namespace concur
