#pragma once

#include "base/result.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <string>
#include <string_view>

namespace concur {

// Where to listen, or who is there.
using TcpAddress = boost::asio::ip::tcp::endpoint;

// "127.0.0.1:8080" or "[::1]:8080"; port 0 lets the system choose. kInvalid, as a cause, for names
// and for anything else.
Result<TcpAddress> parse_tcp_address(std::string_view text);
std::string to_text(const TcpAddress& address);

// Whether a Host field (RFC 9112, section 3.2) names this machine in a way that no name server can
// have a say in: localhost or a loopback address, with a port or without.
bool is_loopback_host(std::string_view host);

}  // namespace concur
