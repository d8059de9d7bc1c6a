#pragma once

#include "common/unix_socket.hpp"

#include <cstdint>

namespace concur::bench {

/// Connects to that port of loopback; small writes leave at once. Throws std::runtime_error.
Fd connect_loopback(std::uint16_t port);

}  // namespace concur::bench
