#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace concur::engine {

// Where a server of the engine listens: a name or an address, IPv4 or IPv6, and a port.
struct Address {
  std::string host;  // without brackets
  std::uint16_t port = 0;

  bool operator==(const Address&) const = default;
  bool operator<(const Address& other) const {
    return std::tie(host, port) < std::tie(other.host, other.port);
  }
};

inline constexpr std::uint16_t kUsualPort = 6379;

// "10.0.0.1:6379" or "[::1]:6379".
std::string to_text(const Address& address);

// The same; where there is no port it is the usual one. kInvalid, as a cause, for anything else.
Result<Address> parse_address(std::string_view text);

// The servers that are asked first; from them the others are learnt.
struct Seeds {
  std::vector<Address> addresses;  // at least one, each once
  bool tls = false;

  bool operator==(const Seeds&) const = default;
};

inline constexpr std::size_t kMaxSeeds = 16;

// "valkey://10.0.0.1:6379,10.0.0.2" or redis://; with TLS valkeys:// or rediss://. kInvalid, as a
// cause, for anything else; a user or a password there is refused without being repeated, for
// command lines and config files are read by many.
Result<Seeds> parse_seeds(std::string_view text);

}  // namespace concur::engine
