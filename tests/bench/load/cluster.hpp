#pragma once

#include "common/unix_socket.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace concur::bench {

/// Where requests go: to one server by its Unix socket, or to the primaries of a cluster on
/// loopback, each of which owns as many slots, in order. A client has a connection to each.
struct Servers {
  std::string socket{};
  std::vector<std::uint16_t> ports{};

  [[nodiscard]] std::size_t count() const { return ports.empty() ? 1 : ports.size(); }
  /// Throws std::runtime_error.
  [[nodiscard]] Fd connect(std::size_t which) const;
  /// Which of them owns the slot of that user's key.
  [[nodiscard]] std::size_t owner(std::uint32_t user) const;
};

}  // namespace concur::bench
