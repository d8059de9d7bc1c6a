#pragma once

#include "base/clock.hpp"

#include <cstddef>
#include <functional>
#include <string>

namespace concur {

// What status and metrics report beside the service's own part.
struct DaemonInfo {
  std::string version;
  int pid = 0;
  Instant started;
  std::function<std::size_t()> connections;
  std::size_t most_connections = 0;
};

}  // namespace concur
