#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace concur::bench {

/// All names have a fixed length, so that requests can be patched in place.
inline constexpr std::size_t kUserLength = 9;
inline constexpr std::size_t kSessionLength = 36;
inline constexpr std::size_t kTimeLength = 13;

/// Writes `u00012345`; the user is below 100,000,000.
void write_user(std::uint32_t user, char* out);

/// Writes the milliseconds since 1970 as decimal digits.
void write_time(std::chrono::milliseconds time, char* out);

/// Names the sessions of one run by UUIDs (version 4). They are computed from the serial number
/// each time, which is cheaper than fetching millions of stored ones from memory.
class SessionNames {
 public:
  explicit SessionNames(std::uint64_t seed);

  void write(std::uint64_t serial, char* out) const;

 private:
  std::uint64_t seed_;
};

}  // namespace concur::bench
