#include "fleet/served.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace concur {

namespace {

bool same_details(const Row& a, const Row& b) {
  if (!a.details || !b.details) return !a.details && !b.details;
  return *a.details == *b.details;
}

void move_clock(Row& row, Millis ahead) {
  row.started += ahead;
  row.last_seen += ahead;
  row.expires += ahead;
}

// The row's overlap is that from now on; false where it is so already.
bool set_overlap(Row& row, const Row& from) {
  const bool same =
      row.overlap && from.overlap ? *row.overlap == *from.overlap : !row.overlap && !from.overlap;
  if (same) return false;
  row.overlap = from.overlap ? std::make_unique<Overlap>(*from.overlap) : nullptr;
  return true;
}

// Until then it is as it is, if nobody asks for it.
Instant stays_until(const Row& row) {
  return row.overlap ? std::min(row.expires, row.started + row.overlap->length) : row.expires;
}

template <class Entries>
auto find_by_name(Entries& entries, std::string_view session) {
  return std::ranges::find_if(entries,
                              [session](const auto& each) { return each.row.session == session; });
}

}  // namespace

const Served::OfUser* Served::find(std::string_view user) const {
  const auto found = users_.find(std::string(user));
  return found == users_.end() ? nullptr : &found->second;
}

void Served::restore(Row row, const Now& now) {
  const Millis ttl = std::clamp(row.ttl, kMinLease, kMaxLease);
  row.ttl = ttl;
  row.started = std::min(row.started, now.instant);
  row.last_seen = std::min(row.last_seen, now.instant);
  row.expires = std::clamp(row.expires, now.instant + heartbeat_interval(ttl), now.instant + ttl);
  const std::int64_t stored = row.id;
  last_stored_ = std::max(last_stored_, stored);
  if (row.fleet_id != 0) row.id = row.fleet_id;
  const std::string user = row.user;
  OfUser& of = users_[user];
  const Instant saved = row.expires;
  of.sessions.push_back({std::move(row), stored, {}, saved, now.instant});
  ++sessions_;
  schedule(user, of);
}

// --- what is known ---

void Served::update(const UserState& state, std::uint64_t box, std::vector<GoneRow> removed,
                    Millis ahead, Instant now, bool agreed) {
  auto found = users_.find(state.user);
  const bool serves =
      std::ranges::any_of(state.sessions, [box](const auto& each) { return each.box == box; });
  if (found == users_.end()) {
    if (!serves && removed.empty()) return;
    found = users_.emplace(state.user, OfUser{}).first;
  }
  OfUser& of = found->second;
  for (std::size_t i = of.sessions.size(); i-- > 0;) {
    const auto active = find_by_name(state.sessions, of.sessions[i].row.session);
    const bool stays = active != state.sessions.end() && active->box == box &&
                       active->row.id == of.sessions[i].row.id;
    if (!stays) drop(of, i);
  }
  for (const UserState::Session& each : state.sessions) {
    if (each.box == box && each.row.expires - ahead > now) {
      put(of, each.row, ahead, agreed ? now : Instant());
    }
  }
  for (GoneRow& each : removed) {
    each.at -= ahead;
    remember(of, std::move(each));
  }
  schedule(state.user, of);
  forget_over(state.user, now);
}

// Of each name the last one; of very many those that went last.
void Served::remember(OfUser& of, GoneRow gone) {
  std::erase_if(of.removed, [&gone](const GoneRow& each) {
    return each.session == gone.session && each.row <= gone.row;
  });
  if (of.removed.size() >= kMaxRemoved) of.removed.erase(of.removed.begin());
  of.removed.push_back(std::move(gone));
}

void Served::put(OfUser& of, const Row& row, Millis ahead, Instant agreed) {
  const auto known = find_by_name(of.sessions, row.session);
  if (known == of.sessions.end()) {
    Row own = copy_of(row);
    move_clock(own, -ahead);
    Row stored = copy_of(own);
    stored.fleet_id = row.id;
    stored.id = ++last_stored_;
    const Instant saved = own.expires;
    of.sessions.push_back({std::move(own), stored.id, row.started, saved, agreed});
    ++sessions_;
    return journal_(Insert{std::move(stored)});
  }
  Session& session = *known;
  session.agreed = std::max(session.agreed, agreed);
  session.row.started = row.started - ahead;
  session.started_there = row.started;
  session.row.last_seen = row.last_seen - ahead;
  session.row.expires = row.expires - ahead;
  session.row.ttl = row.ttl;
  session.row.start = row.start;
  if (!same_details(session.row, row)) {
    const Details details = row.details ? *row.details : Details();
    session.row.details = std::make_unique<Details>(details);
    journal_(Describe{session.stored, details.ip, details.content, details.meta});
  }
  if (set_overlap(session.row, row)) {
    SetOverlap change{session.stored};
    if (row.overlap) change.overlap = *row.overlap;
    journal_(std::move(change));
  }
  if (session.row.expires - session.saved >= session.row.ttl / 3 ||
      session.row.expires < session.saved) {
    session.saved = session.row.expires;
    journal_(Save{session.stored, session.row.started, session.row.last_seen, session.row.expires,
                  session.row.ttl, session.row.start});
  }
}

void Served::drop(OfUser& of, std::size_t index) {
  journal_(Remove{of.sessions[index].stored});
  of.sessions.erase(of.sessions.begin() + static_cast<std::ptrdiff_t>(index));
  --sessions_;
}

void Served::withdraw(std::string_view user, GoneRow start) {
  OfUser& of = users_[std::string(user)];
  remember(of, std::move(start));
  schedule(std::string(user), of);
}

void Served::save_leases() {
  for (auto& [user, of] : users_) {
    for (Session& each : of.sessions) {
      if (each.row.expires == each.saved) continue;
      each.saved = each.row.expires;
      journal_(Save{each.stored, each.row.started, each.row.last_seen, each.row.expires,
                    each.row.ttl, each.row.start});
    }
  }
}

// --- healing ---

bool Served::has_any_since(std::string_view user, Instant agreed_since) const {
  const OfUser* const of = find(user);
  return of != nullptr && std::ranges::any_of(of->sessions, [agreed_since](const Session& each) {
           return each.agreed <= agreed_since;
         });
}

std::size_t Served::heal(UserState& state, std::uint64_t box, Millis ahead, Instant now,
                         Instant agreed_since, std::size_t limit) const {
  const OfUser* const of = find(state.user);
  if (of == nullptr) return 0;
  const auto is_one_too_many = [&](const Session& each) {
    if (each.agreed > agreed_since) return false;
    const auto active = std::ranges::count_if(state.sessions, [&](const auto& other) {
      return other.row.expires > now + ahead && other.row.session != each.row.session;
    });
    return static_cast<std::size_t>(active) >= limit;
  };
  std::size_t reclaimed = 0;
  for (const GoneRow& each : of->removed) {
    const auto active = find_by_name(state.sessions, each.session);
    if (active == state.sessions.end() || active->row.id > each.row) continue;
    state.sessions.erase(active);
    UserState::Gone gone{copy_of(each)};
    gone.row.at += ahead;
    state.gone.push_back(std::move(gone));
  }
  for (const Session& each : of->sessions) {
    if (each.row.expires <= now) continue;
    const auto active = find_by_name(state.sessions, each.row.session);
    if (active != state.sessions.end()) {
      if (active->row.id > each.row.id) continue;  // the later start keeps the name
      const bool same = active->row.id == each.row.id;
      if (same && active->row.expires > now + ahead) continue;
      if (is_one_too_many(each)) continue;
      // Another box made its lease shorter than is known here.
      if (same && active->box != box && active->row.ttl < each.row.ttl) continue;
      if (same) {
        ++reclaimed;
        active->row.last_seen = each.row.last_seen + ahead;
        active->row.expires = each.row.expires + ahead;
        active->row.start = std::max(active->row.start, each.row.start);
        active->box = box;
        continue;
      }
      state.sessions.erase(active);
    } else {
      const auto gone = find_by_name(state.gone, each.row.session);
      if (gone != state.gone.end()) {
        const bool is_it = gone->row.row == each.row.id;
        if (is_it && gone->row.reason != EndReason::kExpired) continue;
        if (is_it && gone->row.ttl < each.row.ttl) continue;  // as above
        if (gone->row.row > each.row.id) continue;
      }
      if (is_one_too_many(each)) continue;
      if (gone != state.gone.end()) state.gone.erase(gone);
    }
    UserState::Session session{copy_of(each.row)};
    move_clock(session.row, ahead);
    if (each.started_there != Instant()) session.row.started = each.started_there;
    session.box = box;
    state.sessions.push_back(std::move(session));
    ++reclaimed;
  }
  if (reclaimed > 0) {
    std::ranges::sort(state.sessions, {}, [](const auto& each) { return each.row.id; });
  }
  return reclaimed;
}

// --- what is over ---

// Whoever was asked to end what is over may not have been able to.
constexpr Millis kLookAgain = std::chrono::seconds(5);

// A lease that was prolonged since is noticed when the earlier one would be over.
void Served::schedule(const std::string& user, OfUser& of) {
  Instant at = Instant::max();
  for (const Session& each : of.sessions) at = std::min(at, stays_until(each.row));
  for (const GoneRow& each : of.removed) at = std::min(at, each.at + each.ttl);
  if (at >= of.due) return;
  of.due = at;
  due_.push({at, user});
}

std::vector<std::string> Served::take_due(std::size_t most, Instant now) {
  std::vector<std::string> users;
  while (users.size() < most && !due_.empty() && due_.top().at <= now) {
    auto [at, user] = due_.top();
    due_.pop();
    const auto found = users_.find(user);
    if (found == users_.end() || found->second.due != at) continue;
    OfUser& of = found->second;
    of.due = Instant::max();
    const bool is_over =
        std::ranges::any_of(of.sessions,
                            [now](const auto& each) { return stays_until(each.row) <= now; }) ||
        std::ranges::any_of(of.removed,
                            [now](const auto& each) { return each.at + each.ttl <= now; });
    if (!is_over) {
      schedule(user, of);
      continue;
    }
    of.due = now + kLookAgain;
    due_.push({of.due, user});
    users.push_back(std::move(user));
  }
  return users;
}

void Served::forget_over(std::string_view user, Instant now) {
  const auto found = users_.find(std::string(user));
  if (found == users_.end()) return;
  OfUser& of = found->second;
  for (std::size_t i = of.sessions.size(); i-- > 0;) {
    if (of.sessions[i].row.expires <= now) drop(of, i);
  }
  std::erase_if(of.removed, [now](const GoneRow& each) { return each.at + each.ttl <= now; });
  if (of.sessions.empty() && of.removed.empty()) users_.erase(found);
}

std::vector<std::string> Served::users_to_tell(Millis lease) const {
  std::vector<std::string> users;
  for (const auto& [user, of] : users_) {
    const bool long_lease = std::ranges::any_of(
        of.sessions, [lease](const auto& each) { return each.row.ttl > lease; });
    if (!of.removed.empty() || long_lease) users.push_back(user);
  }
  return users;
}

void Served::copy(const std::function<void(Change&&)>& take) const {
  for (const auto& [user, of] : users_) {
    for (const Session& each : of.sessions) {
      Row row = copy_of(each.row);
      row.fleet_id = row.id;
      row.id = each.stored;
      take(Insert{std::move(row)});
    }
  }
}

}  // namespace concur
