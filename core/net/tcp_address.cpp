#include "net/tcp_address.hpp"

#include "base/text.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/string.hpp>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

namespace concur {

namespace {

namespace ip = boost::asio::ip;

struct Parts {
  std::string_view host;  // without brackets
  bool bracketed = false;
  std::optional<std::string_view> port;
};

// The host up to a bracket's end or the first colon; none where it cannot be one.
std::optional<Parts> split(std::string_view text) {
  Parts parts;
  std::string_view rest;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    parts.bracketed = true;
    parts.host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
  } else {
    parts.host = text.substr(0, text.find(':'));
    rest = text.substr(parts.host.size());
  }
  if (rest.empty()) return parts;
  if (rest.front() != ':') return std::nullopt;
  parts.port = rest.substr(1);
  return parts;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [rest, failed] = std::from_chars(text.data(), end, port);
  if (failed != std::errc() || rest != end) return std::nullopt;
  return port;
}

std::optional<ip::address> parse_host(const Parts& parts) {
  boost::system::error_code error;
  const std::string text(parts.host);
  if (text.find('\0') != std::string::npos) return std::nullopt;
  if (parts.bracketed) {
    const auto address = ip::make_address_v6(text, error);
    return error ? std::nullopt : std::optional<ip::address>(address);
  }
  const auto address = ip::make_address_v4(text, error);
  return error ? std::nullopt : std::optional<ip::address>(address);
}

ip::tcp::endpoint endpoint_of(const TcpAddress& address) {
  ip::tcp::endpoint endpoint;
  std::memcpy(endpoint.data(), address.data(),
              std::min<std::size_t>(address.size(), endpoint.capacity()));
  return endpoint;
}

using Ask = int (*)(int, sockaddr*, socklen_t*);

TcpAddress ask(Ask end, int socket) {
  sockaddr_storage storage{};
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  socklen_t size = sizeof storage;
  if (end(socket, address, &size) != 0) return {};
  return {address, size};
}

}  // namespace

Result<TcpAddress> parse_tcp_address(std::string_view text) {
  const auto parts = split(text);
  const auto host = parts ? parse_host(*parts) : std::nullopt;
  const auto port = parts && parts->port ? parse_port(*parts->port) : std::nullopt;
  if (!host || !port) {
    return Error{ErrorKind::kInvalid,
                 "it takes an address and a port, such as 127.0.0.1:8080 or [::1]:8080"};
  }
  const ip::tcp::endpoint endpoint(*host, *port);
  return TcpAddress(endpoint.data(), static_cast<socklen_t>(endpoint.size()));
}

std::string to_text(const TcpAddress& address) {
  if (address.size() == 0) return "somewhere";
  const ip::tcp::endpoint endpoint = endpoint_of(address);
  const std::string host = endpoint.address().to_string();
  return address.is_v6() ? text::format("[{}]:{}", host, endpoint.port())
                         : text::format("{}:{}", host, endpoint.port());
}

TcpAddress::TcpAddress(const sockaddr* address, socklen_t size)
    : size_(std::min<socklen_t>(size, sizeof storage_)) {
  std::memcpy(&storage_, address, size_);
}

bool TcpAddress::is_loopback() const {
  return size_ != 0 && endpoint_of(*this).address().is_loopback();
}

TcpAddress local_address_of(int socket) { return ask(getsockname, socket); }
TcpAddress peer_address_of(int socket) { return ask(getpeername, socket); }

bool is_loopback_host(std::string_view host) {
  const auto parts = split(host);
  if (!parts) return false;
  if (parts->port && !parts->port->empty() && !parse_port(*parts->port)) return false;
  if (!parts->bracketed && boost::beast::iequals(parts->host, "localhost")) return true;
  const auto address = parse_host(*parts);
  return address && address->is_loopback();
}

}  // namespace concur
