#pragma once

#include "base/clock.hpp"
#include "session/admission.hpp"
#include "session/change_log.hpp"
#include "session/command.hpp"
#include "session/state.hpp"
#include "session/viewer.hpp"

#include <cstdint>

namespace concur {

// What a take-over leaves behind, beside the session that goes: who is held off, who is protected,
// which devices changed hands (viewer.hpp says what for), and which names were replaced. What is
// stored of it can be rolled back. Made for a moment, where it is needed.
class TakeOvers {
 public:
  // All must outlive it. Row ids are taken from `next_row`. With a hold-off of 0 nothing is
  // remembered.
  TakeOvers(State& state, ChangeLog& changes, std::int64_t& next_row, Millis hold_off,
            const Now& now)
      : state_(state), changes_(changes), next_row_(next_row), hold_off_(hold_off), now_(now) {}

  // Before the session is evicted.
  void hold_off(const Displaced& displaced);
  void protect(Slot user, const Viewer& viewer);
  // The start's device, or two use the address of a viewer that is known by it.
  void change_hands(Slot user, const Start& start, const Admission& admission);

  // Once the session is evicted. `viewer`: by whom.
  void remember_replaced(Slot slot, const Viewer& viewer);
  // The same of one whose own viewer, known by its address, evicted it.
  void remember_zapping(Slot slot, const Viewer& viewer);
  // A heartbeat of such a one: whether it shows that it was no zapping, but another plays. True
  // once.
  bool plays_on(Slot slot);

 private:
  void put_mark(Slot user, Mark mark, std::int64_t row, const Viewer& viewer, bool conflict);

  State& state_;
  ChangeLog& changes_;
  std::int64_t& next_row_;
  Millis hold_off_;
  const Now& now_;
};

}  // namespace concur
