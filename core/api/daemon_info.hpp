#pragma once

#include "base/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace concur {

// One of the configuration: "limit", "3", "default".
struct SettingInForce {
  std::string name;
  std::string value;
  std::string from;
};

// What status and metrics report beside the service's own part.
struct DaemonInfo {
  std::string version;
  int pid = 0;
  Instant started;
  std::function<std::size_t()> connections;
  std::size_t most_connections = 0;
  // What a process of that user, which is no operator, can do to be one; empty where nothing is
  // known. May not be there.
  std::function<std::string(std::int64_t uid)> advice{};
  // The configuration in force. May not be there.
  std::function<std::vector<SettingInForce>()> settings{};
};

}  // namespace concur
