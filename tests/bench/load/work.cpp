#include "load/work.hpp"

#include <numeric>

namespace concur::bench {
namespace {

constexpr std::uint32_t kTurns = 62;
constexpr std::uint32_t kStartTurn = 0;
constexpr std::uint32_t kEndTurn = 31;
constexpr int kMostTries = 1000;
constexpr std::uint32_t kNoSlot = ~std::uint32_t{0};

// Sends serials to users who are no neighbours of any a while before, by the golden section (Knuth,
// "The Art of Computer Programming", volume 3, section 6.4), yet every user gets its turn before
// any gets two.
std::uint64_t stride_for(std::uint64_t users) {
  auto stride = static_cast<std::uint64_t>(0.6180339887498949 * static_cast<double>(users)) + 1;
  while (std::gcd(stride, users) != 1) {
    ++stride;
  }
  return stride;
}

}  // namespace

Work::Work(WorkKind kind, const WorkSize& size)
    : kind_(kind),
      size_(size),
      stride_(stride_for(size.users)),
      random_(size.seed),
      next_serial_(kind == WorkKind::fill ? 0 : size.prepared) {
  if (kind == WorkKind::mixed || kind == WorkKind::churn) {
    slots_.reserve(size.prepared * 2);
    for (std::uint64_t serial = 0; serial < size.prepared; ++serial) {
      slots_.push_back({serial, user_in_turn(serial), 0, State::active});
    }
  }
}

Request Work::next() {
  switch (kind_) {
    case WorkKind::fill: {
      const std::uint64_t serial = next_serial_++;
      return {Operation::start, user_in_turn(serial), serial};
    }
    case WorkKind::start:
    case WorkKind::denial:
      return {Operation::start, random_user(), next_serial_++};
    case WorkKind::heartbeat: {
      const std::uint64_t serial = random_.below(static_cast<std::uint32_t>(size_.prepared));
      return {Operation::heartbeat, user_in_turn(serial), serial};
    }
    case WorkKind::mixed:
      return next_mixed();
    case WorkKind::churn:
      break;
  }
  return next_churn();
}

bool Work::answered(const Request& request, int status) {
  switch (kind_) {
    case WorkKind::fill:
      return status == 201 || status == 200;
    case WorkKind::start:
      return status == 201 || status == 409;
    case WorkKind::heartbeat:
      return status == 200;
    case WorkKind::denial:
      return status == 409;
    case WorkKind::mixed:
    case WorkKind::churn:
      break;
  }
  answered_in_slot(request, status);
  return request.operation == Operation::start ? status == 201 || status == 409 : status == 200;
}

std::uint32_t Work::user_in_turn(std::uint64_t serial) const {
  return size_.first_user +
         static_cast<std::uint32_t>(serial % size_.users * stride_ % size_.users);
}

Request Work::next_mixed() {
  const std::uint32_t turn = turn_++ % kTurns;
  const std::uint32_t at = turn == kStartTurn ? kNoSlot : random_active_slot(turn == kEndTurn);
  if (at == kNoSlot) {
    return start_in_slot();
  }
  Slot& slot = slots_[at];
  if (turn == kEndTurn && slot.heartbeats == 0) {
    return end_in_slot(at);
  }
  ++slot.heartbeats;
  return {Operation::heartbeat, slot.user, slot.serial, at};
}

// Whoever starts has just ended a session, so that nobody comes to the limit and the house stays
// full.
Request Work::next_churn() {
  const std::uint32_t at = free_slots_.empty() ? random_active_slot(false) : kNoSlot;
  if (at != kNoSlot) {
    return end_in_slot(at);
  }
  const bool known_user = !free_slots_.empty();
  const std::uint32_t user = known_user ? slots_[free_slots_.back()].user : 0;
  Request request = start_in_slot();
  if (known_user) {
    slots_[request.slot].user = request.user = user;
  }
  return request;
}

Request Work::end_in_slot(std::uint32_t at) {
  slots_[at].state = State::ending;
  return {Operation::end, slots_[at].user, slots_[at].serial, at};
}

Request Work::start_in_slot() {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t at = free_slots_.back();
  free_slots_.pop_back();
  slots_[at] = {next_serial_++, random_user(), 0, State::starting};
  return {Operation::start, slots_[at].user, slots_[at].serial, at};
}

// Starts and ends keep the balance, so nearly every slot is active and the search is short; it is
// bounded for the sake of a handful of users. If none is idle, one that is not comes back.
std::uint32_t Work::random_active_slot(bool idle) {
  std::uint32_t found = kNoSlot;
  for (int tries = 0; tries < kMostTries && !slots_.empty(); ++tries) {
    const std::uint32_t at = random_.below(static_cast<std::uint32_t>(slots_.size()));
    if (slots_[at].state == State::active) {
      found = at;
      if (!idle || slots_[at].heartbeats == 0) {
        break;
      }
    }
  }
  return found;
}

void Work::answered_in_slot(const Request& request, int status) {
  Slot& slot = slots_[request.slot];
  switch (request.operation) {
    case Operation::start:
      if (status == 201) {
        slot.state = State::active;
      } else {
        release(request.slot);
      }
      return;
    case Operation::heartbeat:
      --slot.heartbeats;
      return;
    case Operation::end:
      release(request.slot);
      return;
  }
}

void Work::release(std::uint32_t slot) {
  slots_[slot].state = State::free;
  free_slots_.push_back(slot);
}

}  // namespace concur::bench
