#pragma once

#include <cstdint>
#include <string>

namespace concur::cli {

// Names an event: its number counts within one life of the daemon.
struct EventMark {
  std::string boot;
  std::uint64_t seq = 0;

  bool operator==(const EventMark&) const = default;
};

}  // namespace concur::cli
