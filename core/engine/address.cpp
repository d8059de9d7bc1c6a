#include "engine/address.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace concur::engine {

namespace {

constexpr std::size_t kMaxHostSize = 253;  // of a name (RFC 1035, section 2.3.4)
constexpr std::string_view kExpected =
    "it takes a form such as valkey://10.0.0.1:6379,10.0.0.2:6379";
constexpr std::pair<std::string_view, bool> kSchemes[] = {
    {"valkey://", false}, {"redis://", false}, {"valkeys://", true}, {"rediss://", true}};

Error invalid(std::string_view cause) { return {ErrorKind::kInvalid, std::string(cause)}; }

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

bool is_host(std::string_view host, bool bracketed) {
  return !host.empty() && host.size() <= kMaxHostSize &&
         std::ranges::all_of(host, [bracketed](char c) {
           return is_host_character(c) || (bracketed && (c == ':' || c == '%'));
         });
}

std::optional<std::uint16_t> port_of(std::string_view text) {
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, failed] = std::from_chars(text.data(), end, port);
  if (failed != std::errc() || rest != end || port == 0) return std::nullopt;
  return port;
}

}  // namespace

std::string to_text(const Address& address) {
  return address.host.find(':') == std::string::npos
             ? text::format("{}:{}", address.host, address.port)
             : text::format("[{}]:{}", address.host, address.port);
}

Result<Address> parse_address(std::string_view text) {
  const bool bracketed = text.starts_with('[');
  const std::size_t end = bracketed ? text.find(']') : std::min(text.find(':'), text.size());
  if (end == std::string_view::npos) return invalid("an address in brackets has no end");
  const std::string_view host = bracketed ? text.substr(1, end - 1) : text.substr(0, end);
  const std::string_view rest = text.substr(bracketed ? end + 1 : end);
  if (!is_host(host, bracketed)) {
    return invalid("it takes a name or an address, and a port, such as 10.0.0.1:6379");
  }
  if (rest.empty()) return Address{std::string(host), kUsualPort};
  const auto port = rest.front() == ':' ? port_of(rest.substr(1)) : std::nullopt;
  if (!port) return invalid("a port is a number from 1 to 65535; IPv6 stands in brackets");
  return Address{std::string(host), *port};
}

Result<Seeds> parse_seeds(std::string_view text) {
  const auto* scheme =
      std::ranges::find_if(kSchemes, [text](const auto& s) { return text.starts_with(s.first); });
  if (scheme == std::end(kSchemes)) return invalid(kExpected);
  text.remove_prefix(scheme->first.size());
  if (text.find('@') != std::string_view::npos) {
    return invalid(
        "a user and a password do not belong here: --fleet-user and "
        "--fleet-password-file take them");
  }
  if (text.find_first_of("/?#") != std::string_view::npos) {
    return invalid("addresses alone belong here, without a path, a database or a query");
  }
  Seeds seeds{{}, scheme->second};
  while (true) {
    const std::size_t comma = text.find(',');
    auto address = parse_address(text.substr(0, comma));
    if (!address) return address.error();
    if (std::ranges::find(seeds.addresses, *address) == seeds.addresses.end()) {
      seeds.addresses.push_back(std::move(*address));
    }
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  if (seeds.addresses.size() > kMaxSeeds) {
    return invalid(text::format("it takes at most {} addresses", kMaxSeeds));
  }
  return seeds;
}

}  // namespace concur::engine
