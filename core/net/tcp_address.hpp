#pragma once

#include "base/result.hpp"

#include <sys/socket.h>

#include <string>
#include <string_view>

namespace concur {

// Where to listen, or who is there: an address and a port, IPv4 or IPv6, as the system takes them.
class TcpAddress {
 public:
  TcpAddress() = default;  // of no family
  TcpAddress(const sockaddr* address, socklen_t size);

  const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const { return size_; }

  bool is_v6() const { return storage_.ss_family == AF_INET6; }
  bool is_loopback() const;

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = 0;
};

// Of either end of a socket, also where port 0 let the system choose; of no family where it does
// not say.
TcpAddress local_address_of(int socket);
TcpAddress peer_address_of(int socket);

// "127.0.0.1:8080" or "[::1]:8080"; port 0 lets the system choose. kInvalid, as a cause, for names
// and for anything else.
Result<TcpAddress> parse_tcp_address(std::string_view text);
// "127.0.0.1:8080"; "somewhere" where there is none.
std::string to_text(const TcpAddress& address);

// Whether a Host field (RFC 9112, section 3.2) names this machine in a way that no name server can
// have a say in: localhost or a loopback address, with a port or without.
bool is_loopback_host(std::string_view host);

}  // namespace concur
