#pragma once

#include "base/result.hpp"
#include "engine/resolver.hpp"
#include "engine/wire.hpp"

#include <boost/asio/io_context.hpp>

#include <memory>
#include <string>

namespace boost::asio::ssl {
class context;
}

namespace concur::engine {

// PEM files; an empty path is none.
struct TlsFiles {
  std::string ca;  // whom to believe; the system's where there is none
  std::string cert;
  std::string key;
};

// Whom TLS believes, and as whom it presents itself. TLS 1.2 at least.
using TlsContext = std::shared_ptr<boost::asio::ssl::context>;
// kInvalid where a file cannot be used: `cannot use <path>: <cause>`.
Result<TlsContext> load_tls(const TlsFiles& files);

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
