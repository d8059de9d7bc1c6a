#pragma once

#include <cstdint>

namespace concur {

enum class Durability : std::uint8_t {
  kFull,    // a commit is on the disk when it returns (PRAGMA synchronous = FULL)
  kNormal,  // a power cut may lose the last commits, never the database's consistency (NORMAL)
};

}  // namespace concur
