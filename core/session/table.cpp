#include "session/table.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>
#include <vector>

namespace concur {

namespace {

// More active sessions than kMaxWalked make a user crowded, so many are few again.
constexpr std::uint32_t kMaxWalked = 8;
constexpr std::uint32_t kFewAgain = 4;

constexpr std::size_t kMaxPrefetches = 256;

std::uint32_t hash_of(std::string_view text, std::uint64_t seed) {
  return static_cast<std::uint32_t>(XXH3_64bits_withSeed(text.data(), text.size(), seed));
}

// It may lie across two lines of the cache.
template <class T>
void fetch(const T& item) {
  static_assert(sizeof(T) <= 64);
  const auto* begin = reinterpret_cast<const char*>(&item);
  __builtin_prefetch(begin);
  __builtin_prefetch(begin + sizeof(T) - 1);
}

// The count of a session's start by the time of it, so that no later one gets that of an earlier
// one that was forgotten: for half a year, and then for as many starts again as there are numbers
// left.
std::uint32_t start_count_at(const SessionSlot& session, Instant now) {
  constexpr Millis kTick{8};
  constexpr std::int64_t kMax = std::numeric_limits<std::uint32_t>::max() / 2;
  const Millis age = now - session.started();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(age / kTick, 0, kMax));
}

}  // namespace

EndReason reason_of(SlotState gone) {
  switch (gone) {
    case SlotState::kExpired:
      return EndReason::kExpired;
    case SlotState::kEvicted:
      return EndReason::kEvicted;
    case SlotState::kPurged:
      return EndReason::kPurged;
    case SlotState::kDenied:
      return EndReason::kDenied;
    case SlotState::kFree:
    case SlotState::kActive:
    case SlotState::kEnded:
      break;
  }
  return EndReason::kEnded;
}

SlotState state_of(EndReason reason) {
  switch (reason) {
    case EndReason::kExpired:
      return SlotState::kExpired;
    case EndReason::kEvicted:
      return SlotState::kEvicted;
    case EndReason::kPurged:
      return SlotState::kPurged;
    case EndReason::kDenied:
      return SlotState::kDenied;
    case EndReason::kEnded:
    case EndReason::kOtherStart:
      break;
  }
  return SlotState::kEnded;
}

void SessionSlot::set_lease(Instant last_seen, Instant expiry) {
  constexpr auto kMax = std::numeric_limits<std::uint32_t>::max();
  const auto since = std::clamp<std::int64_t>((expiry - last_seen).count(), 0, kMax);
  set_expires(expiry);
  seen_ms = static_cast<std::uint32_t>(since);
}

void SessionSlot::start_again(Instant now) {
  if (start < std::numeric_limits<std::uint32_t>::max()) ++start;
  start = std::max(start, start_count_at(*this, now));
}

// No more than could have been given by now: a made-up one must not use the numbers up.
void SessionSlot::learn_start(const StartToken& known, Instant now) {
  assert(known >= token());
  if (known.id != token().id) return;
  start = std::max(start, std::min(known.count, start_count_at(*this, now)));
}

bool Table::Equal::operator()(const UserKey& key, const Entry& e) const {
  return key.hash == e.hash && key.table.users_[e.slot].name.equals(key.name);
}

bool Table::Equal::operator()(const SessionKey& key, const Entry& e) const {
  if (key.hash != e.hash) return false;
  const SessionSlot& session = key.table.sessions_[e.slot];
  return session.user == key.user && session.name == key.name;
}

Table::UserKey Table::user_key(std::string_view name) const {
  return {*this, name, hash_of(name, seed_)};
}

Table::SessionKey Table::session_key(Slot user, const PackedText& name) const {
  // The user's slot goes into the seed: the same name under many users must not pile up in one
  // place.
  return {*this, user, name, hash_of(name.key(), seed_ + 0x9E37'79B9'7F4A'7C15U * (user + 1ULL))};
}

// A command looks for its user several times. Where the one found last is gone, its slot has no
// name, or that of who got it.
Slot Table::find_user(std::string_view name) const {
  if (found_ != kNoSlot && !name.empty() && users_[found_].name.equals(name)) return found_;
  const auto found = user_index_.find(user_key(name));
  if (found == user_index_.end()) return kNoSlot;
  return found_ = found->slot;
}

Slot Table::find_session(Slot user, std::string_view name) const {
  return find_session(user, PackedText(name));
}

Slot Table::find_session(Slot user, const PackedText& name) const {
  const UserSlot& owner = users_[user];
  if (!owner.crowded) {
    for (Slot slot = owner.head; slot != kNoSlot; slot = sessions_[slot].next) {
      if (sessions_[slot].name == name) return slot;
    }
  }
  const SessionKey key = session_key(user, name);
  const Index& index = session_index_.of(key.hash);
  const auto found = index.find(key);
  return found == index.end() ? kNoSlot : found->slot;
}

bool Table::Equal::operator()(const DeviceKey& key, const Entry& e) const {
  if (key.hash != e.hash || key.table.sessions_[e.slot].user != key.user) return false;
  const Details* details = key.table.details(e.slot);
  return details != nullptr && details->device == key.device;
}

Table::DeviceKey Table::device_key(Slot user, std::string_view device) const {
  return {*this, user, device, hash_of(device, seed_ + 0xC2B2'AE3D'27D4'EB4FU * (user + 1ULL))};
}

Slot Table::find_device(Slot user, std::string_view device) const {
  const auto found = device_index_.find(device_key(user, device));
  return found == device_index_.end() ? kNoSlot : found->slot;
}

void Table::index_device(Slot slot) {
  const Details* known = details(slot);
  if (known == nullptr || known->device.empty()) return;
  const DeviceKey key = device_key(sessions_[slot].user, known->device);
  if (device_index_.find(key) != device_index_.end()) {
    users_[key.user].shares_device = true;
  } else {
    device_index_.insert({key.hash, slot});
  }
}

void Table::unindex_device(Slot slot) {
  const Details* known = details(slot);
  if (known == nullptr || known->device.empty()) return;
  const std::uint32_t hash = device_key(sessions_[slot].user, known->device).hash;
  if (device_index_.erase(Entry{hash, slot}) == 0) return;
  if (!users_[sessions_[slot].user].shares_device) return;
  const Slot other = find_other_on_device(slot, known->device);
  if (other != kNoSlot) device_index_.insert({hash, other});
}

Slot Table::find_other_on_device(Slot slot, std::string_view device) const {
  for (Slot each = users_[sessions_[slot].user].head; each != kNoSlot;
       each = sessions_[each].next) {
    const Details* known = each == slot ? nullptr : details(each);
    if (known != nullptr && known->device == device) return each;
  }
  return kNoSlot;
}

Slot Table::find_or_add_user(std::string_view name) {
  const Slot known = find_user(name);
  if (known != kNoSlot) return known;
  const Slot slot = users_.acquire();
  users_[slot].name = PackedText(name);
  user_index_.insert({user_key(name).hash, slot});
  return found_ = slot;
}

void Table::index_session(Slot slot) {
  const SessionSlot& session = sessions_[slot];
  const std::uint32_t hash = session_key(session.user, session.name).hash;
  session_index_.of(hash).insert({hash, slot});
}

void Table::unindex_session(Slot slot) {
  const SessionSlot& session = sessions_[slot];
  const std::uint32_t hash = session_key(session.user, session.name).hash;
  session_index_.of(hash).erase(Entry{hash, slot});
}

void Table::set_crowded(UserSlot& owner, bool crowded) {
  owner.crowded = crowded;
  for (Slot slot = owner.head; slot != kNoSlot; slot = sessions_[slot].next) {
    if (crowded) {
      index_session(slot);
    } else {
      unindex_session(slot);
    }
  }
}

void Table::prefetch(std::string_view user) {
  if (prefetches_.size() < kMaxPrefetches) prefetches_.push_back({hash_of(user, seed_)});
}

void Table::run_prefetches() {
  // With nothing between them, the processor looks for several at once.
  for (const HashKey key : prefetches_) {
    const auto found = user_index_.find(key);
    if (found == user_index_.end()) continue;
    walks_.push_back(found->slot);
    fetch(users_[found->slot]);
  }
  prefetches_.clear();
  for (Slot& walk : walks_) walk = users_[walk].crowded ? users_[walk].tail : users_[walk].head;
  // A step of each walk before the next of any, so that they wait together.
  for (std::uint32_t step = 0; step < kMaxWalked && !walks_.empty(); ++step) {
    std::erase(walks_, kNoSlot);
    for (const Slot walk : walks_) fetch(sessions_[walk]);
    for (Slot& walk : walks_) walk = sessions_[walk].next;
  }
  walks_.clear();
}

Table::Added Table::add(std::string_view user, std::string_view session) {
  return add(find_or_add_user(user), PackedText(session));
}

Slot Table::add_absent(std::string_view user, std::string_view session) {
  const Slot owner = find_or_add_user(user);
  PackedText name(session);
  // Whoever was added just now has none, and so is never left behind.
  if (find_session(owner, name) != kNoSlot) return kNoSlot;
  return add(owner, std::move(name)).slot;
}

Table::Added Table::add(Slot owner, PackedText name) {
  Slot gone = kNoSlot;
  const SessionKey key = session_key(owner, name);
  Index& index = session_index_.of(key.hash);
  const auto found = index.find(key);
  if (found != index.end()) {
    gone = found->slot;
    index.erase(found);
  }
  const Slot slot = sessions_.acquire();
  SessionSlot& added = sessions_[slot];
  added.user = owner;
  added.name = std::move(name);
  added.prev = users_[owner].tail;
  ++users_[owner].held;
  link(slot);
  return {slot, gone};
}

Slot Table::add_gone(std::string_view user, std::string_view session, SlotState why) {
  const Slot owner = find_or_add_user(user);
  const Slot slot = sessions_.acquire();
  SessionSlot& added = sessions_[slot];
  added.user = owner;
  added.name = PackedText(session);
  added.state = why;
  ++users_[owner].held;
  index_session(slot);
  return slot;
}

void Table::unlink(Slot slot) {
  const SessionSlot& session = sessions_[slot];
  UserSlot& owner = users_[session.user];
  assert(owner.active > 0);
  unindex_device(slot);
  (session.prev == kNoSlot ? owner.head : sessions_[session.prev].next) = session.next;
  (session.next == kNoSlot ? owner.tail : sessions_[session.next].prev) = session.prev;
  if (--owner.active == 0) {
    --active_users_;
    owner.shares_device = false;
  }
  --active_;
  index_session(slot);
  if (owner.crowded && owner.active == kFewAgain) set_crowded(owner, false);
}

void Table::relink(Slot slot) {
  unindex_session(slot);
  link(slot);
}

void Table::link(Slot slot) {
  SessionSlot& session = sessions_[slot];
  UserSlot& owner = users_[session.user];
  (session.prev == kNoSlot ? owner.head : sessions_[session.prev].next) = slot;
  (session.next == kNoSlot ? owner.tail : sessions_[session.next].prev) = slot;
  session.state = SlotState::kActive;
  if (owner.active++ == 0) ++active_users_;
  ++active_;
  if (owner.crowded) {
    index_session(slot);
  } else if (owner.active > kMaxWalked) {
    set_crowded(owner, true);
  }
  index_device(slot);
}

void Table::remember(Slot slot, Slot user, std::string_view name) {
  if (slot == kNoSlot) return;
  const SessionSlot& session = sessions_[slot];
  const bool is_gone = session.state != SlotState::kFree && session.state != SlotState::kActive;
  if (is_gone && session.user == user && session.name.equals(name)) index_session(slot);
}

void Table::release(Slot slot) {
  unindex_session(slot);
  details_.erase(slot);
  evicted_by_.erase(slot);
  messages_.erase(slot);
  const Slot owner = sessions_[slot].user;
  sessions_.release(slot);
  let_go(owner);
}

void Table::drop_unless_ruled(Slot user) {
  if (!users_[user].rule.empty()) return;
  user_index_.erase(user_index_.find(user_key(users_[user].name.str())));
  users_.release(user);
}

const Details* Table::details(Slot slot) const {
  const auto found = details_.find(slot);
  return found == details_.end() ? nullptr : found->second.get();
}

const EvictedBy* Table::evicted_by(Slot slot) const {
  const auto found = evicted_by_.find(slot);
  return found == evicted_by_.end() ? nullptr : &found->second;
}

void Table::set_evicted_by(Slot slot, EvictedBy by) { evicted_by_[slot] = std::move(by); }

void Table::set_details(Slot slot, Details details) {
  const bool active = sessions_[slot].state == SlotState::kActive;
  if (active) unindex_device(slot);
  if (details.empty()) {
    details_.erase(slot);
  } else {
    details_[slot] = std::make_unique<Details>(std::move(details));
  }
  if (active) index_device(slot);
}

}  // namespace concur
