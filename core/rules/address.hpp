#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace concur {

// An address as scripts and proxies have it, bare: 192.0.2.1:5555, [2001:db8::1]:443, fe80::1%eth0,
// or a list of such as X-Forwarded-For has, of which the first counts. IPv6 in its canonical form
// (RFC 5952), and as IPv4 where it is a mapped one. What cannot be read is returned as it is.
std::string bare_address(std::string_view text);

// What an address counts as: an IPv4 address itself, also one written as IPv6; of an IPv6 address
// its first 64 bits, which are one household's (RFC 6177); any other text itself.
std::string household_of(std::string_view address);

// The same as text, of any other text itself: 2001:db8:0:1:: of 2001:db8:0:1:2:3:4:5.
std::string network_of(std::string_view address);

// As network_of(), and nothing of any other text.
std::optional<std::string> network_if_address(std::string_view address);

}  // namespace concur
