#pragma once

#include "service/event_log.hpp"
#include "session/answer.hpp"

#include <cstdint>
#include <string>

namespace concur::simulation {

// How much of what can be counted happened.
struct Tally {
  std::uint64_t starts = 0;  // renewals not among them
  std::uint64_t denials = 0;
  std::uint64_t observed = 0;  // denials that were none, for what would be denied was let in
  std::uint64_t ends = 0;
  std::uint64_t evictions = 0;
  std::uint64_t purges = 0;

  Tally& operator+=(const Tally& other);
  bool operator==(const Tally&) const = default;
  // Nothing more often than in the other.
  bool within(const Tally& other) const;
};

Tally tally_of(const Answer& answer);
// Without those that were observed: they are told at once, whatever becomes of the start.
Tally tally_of(const Event& event);
std::string text_of(const Tally& tally);

}  // namespace concur::simulation
