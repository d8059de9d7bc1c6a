#pragma once

#include "base/clock.hpp"

#include <cstdint>
#include <string>

namespace concur {

// Figures as people read them. Scripts take the JSON.

// `12s`, `3m10s`, `2h05m`, `3d04h`: whole units, rounded down; `0s` below that.
std::string human_duration(Millis value);

// `512 B`, `4.2 MiB`: at most three digits and a unit of 1024.
std::string human_bytes(std::uint64_t bytes);

// `2026-11-16 21:00 UTC`.
std::string human_minute(WallTime at);

}  // namespace concur
