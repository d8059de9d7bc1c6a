#pragma once

#include "engine/resolver.hpp"
#include "engine/tls.hpp"
#include "engine/wire.hpp"

#include <boost/asio/io_context.hpp>

#include <memory>

namespace concur::engine {

// Wires over TCP, with TLS where there is a context: then a server's certificate must name the host
// or address that was dialled.
class NetDialer final : public Dialer {
 public:
  // The loop must outlive it, and it its wires.
  explicit NetDialer(boost::asio::io_context& loop, TlsContext tls = nullptr);

  std::unique_ptr<Wire> dial(const Address& address) override;

  // For wires from now on.
  void renew(TlsContext tls) { tls_ = std::move(tls); }

 private:
  boost::asio::io_context& loop_;
  Resolver resolver_;
  TlsContext tls_;
};

}  // namespace concur::engine
