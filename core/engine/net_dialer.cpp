#include "engine/net_dialer.hpp"

#include "base/text.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <functional>
#include <type_traits>
#include <utility>

namespace concur::engine {

namespace {

namespace asio = boost::asio;
namespace ssl = asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;
using TlsStream = ssl::stream<tcp::socket>;

constexpr std::size_t kReadSize = std::size_t{64} * 1024;

std::string cause_of(const error_code& error) {
  if (!error) return {};
  if (error == asio::error::eof || error == ssl::error::stream_truncated) {
    return "it closed the connection";
  }
  return error.message();
}

// A stream and its buffers, which what is under way keeps alive: TLS may still write to them when
// the wire is gone.
template <class Stream>
struct Link : std::enable_shared_from_this<Link<Stream>> {
  static constexpr bool kTls = std::is_same_v<Stream, TlsStream>;

  template <class... More>
  Link(Address its_address, More&&... more)
      : address(std::move(its_address)), stream(std::forward<More>(more)...) {}

  tcp::socket& socket() {
    if constexpr (kTls) {
      return stream.next_layer();
    } else {
      return stream;
    }
  }

  // Calls back unless the wire is gone.
  template <class Function>
  auto guarded(Function function) {
    return [self = this->shared_from_this(), function](const error_code& error, const auto&...) {
      if (self->open) function(*self, error);
    };
  }
  void finish(Wire::Done& done, std::string failure) {
    const Wire::Done last = std::move(done);
    last(std::move(failure));
  }

  void connect(const Resolver::Endpoints& endpoints) {
    asio::async_connect(socket(), endpoints, guarded([](Link& self, const error_code& error) {
                          self.on_connected(error);
                        }));
  }
  void on_connected(const error_code& error) {
    if (error) return finish(connected, cause_of(error));
    error_code ignored;
    socket().set_option(tcp::no_delay(true), ignored);
    socket().set_option(asio::socket_base::keep_alive(true), ignored);
    if constexpr (kTls) {
      stream.async_handshake(TlsStream::client, guarded([](Link& self, const error_code& failed) {
                               self.finish(self.connected, self.handshake_failure(failed));
                             }));
    } else {
      finish(connected, {});
    }
  }
  std::string handshake_failure(const error_code& error) {
    if constexpr (kTls) {
      const long verdict = SSL_get_verify_result(stream.native_handle());
      if (error && verdict != X509_V_OK) {
        return text::format("its certificate is not accepted: {}",
                            X509_verify_cert_error_string(verdict));
      }
    }
    return cause_of(error);
  }

  void close() {
    open = false;
    error_code ignored;
    socket().close(ignored);
    connected = {};
    read = {};
    written = {};
  }

  Address address;
  Stream stream;
  bool open = true;
  std::array<char, kReadSize> in;
  std::string out;
  Wire::Done connected;
  Wire::Read read;
  Wire::Done written;
};

template <class Stream>
class NetWire final : public Wire {
 public:
  NetWire(Resolver& resolver, std::shared_ptr<Link<Stream>> link)
      : resolver_(resolver), link_(std::move(link)) {}
  NetWire(const NetWire&) = delete;
  NetWire& operator=(const NetWire&) = delete;
  ~NetWire() override { link_->close(); }

  void connect(Done done) override {
    link_->connected = std::move(done);
    resolver_.resolve(link_->address, [link = link_](Result<Resolver::Endpoints> found) {
      if (!link->open) return;
      if (!found) return link->finish(link->connected, found.error().message);
      link->connect(*found);
    });
  }

  void read(Read done) override {
    link_->read = std::move(done);
    link_->stream.async_read_some(asio::buffer(link_->in),
                                  [link = link_](const error_code& error, std::size_t size) {
                                    if (!link->open) return;
                                    const Read last = std::move(link->read);
                                    last(cause_of(error), {link->in.data(), error ? 0 : size});
                                  });
  }

  void write(std::string& bytes, Done done) override {
    link_->out.clear();
    link_->out.swap(bytes);
    link_->written = std::move(done);
    asio::async_write(link_->stream, asio::buffer(link_->out),
                      link_->guarded([](Link<Stream>& self, const error_code& error) {
                        self.finish(self.written, cause_of(error));
                      }));
  }

 private:
  Resolver& resolver_;
  std::shared_ptr<Link<Stream>> link_;
};

// The name that the server is to choose its certificate by is for names alone (RFC 6066, section
// 3).
void expect_name(TlsStream& stream, const std::string& host) {
  error_code no_literal;
  asio::ip::make_address(host, no_literal);
  if (no_literal) {
    // As the macro SSL_set_tlsext_host_name() has it, which casts in C's way.
    SSL_ctrl(stream.native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             const_cast<char*>(host.c_str()));
  }
  stream.set_verify_mode(ssl::verify_peer);
  stream.set_verify_callback(ssl::host_name_verification(host));
}

}  // namespace

Result<TlsContext> load_tls(const TlsFiles& files) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  error_code failed;
  const auto use = [&failed](const std::string& path, auto load) {
    if (!failed && !path.empty()) load(path);
    if (!failed) return Result<void>();
    return Result<void>(
        Error{ErrorKind::kInvalid, text::format("cannot use {}: {}", path, failed.message())});
  };
  if (files.ca.empty()) context->set_default_verify_paths(failed);
  failed.clear();
  const auto ca =
      use(files.ca, [&](const std::string& path) { context->load_verify_file(path, failed); });
  if (!ca) return ca.error();
  const auto cert = use(files.cert, [&](const std::string& path) {
    context->use_certificate_chain_file(path, failed);
  });
  if (!cert) return cert.error();
  const auto key = use(files.key, [&](const std::string& path) {
    context->use_private_key_file(path, ssl::context::pem, failed);
  });
  if (!key) return key.error();
  return context;
}

NetDialer::NetDialer(asio::io_context& loop, TlsContext tls)
    : loop_(loop), resolver_(loop), tls_(std::move(tls)) {}

std::unique_ptr<Wire> NetDialer::dial(const Address& address) {
  if (!tls_) {
    using Plain = Link<tcp::socket>;
    return std::make_unique<NetWire<tcp::socket>>(resolver_,
                                                  std::make_shared<Plain>(address, loop_));
  }
  auto link = std::make_shared<Link<TlsStream>>(address, loop_, *tls_);
  expect_name(link->stream, address.host);
  return std::make_unique<NetWire<TlsStream>>(resolver_, std::move(link));
}

}  // namespace concur::engine
