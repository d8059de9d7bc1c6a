#pragma once

#include <cstdint>

namespace concur::bench {

/// One step of SplitMix64: a bijection whose output looks random for any input.
constexpr std::uint64_t mix(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15U;
  value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27U)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31U);
}

/// A seeded generator that costs a few instructions a number; the same on every machine, which the
/// distributions of <random> are not.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(mix(seed)) {}

  /// Uniform in [0, bound); the bias of a bound far below 2^32 does not matter here.
  std::uint32_t below(std::uint32_t bound) {
    state_ += 0x9e3779b97f4a7c15U;
    const std::uint64_t high = mix(state_) >> 32U;
    return static_cast<std::uint32_t>((high * bound) >> 32U);
  }

 private:
  std::uint64_t state_;
};

}  // namespace concur::bench
