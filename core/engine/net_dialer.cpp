#include "engine/net_dialer.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace concur::engine {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kReadSize = std::size_t{64} * 1024;
using Buffer = std::array<char, kReadSize>;

std::string cause_of(const error_code& error) {
  if (!error) return {};
  return error == asio::error::eof ? "it closed the connection" : error.message();
}

void finish(Wire::Done& done, std::string failure) {
  const Wire::Done last = std::move(done);
  last(std::move(failure));
}

// A socket and its buffers, which what is under way keeps alive when the wire is gone.
struct Link : std::enable_shared_from_this<Link> {
  Link(Address its_address, asio::io_context& loop, const TlsContext& context)
      : address(std::move(its_address)), socket(loop) {
    if (context) tls.emplace(context, address.host);
  }

  // Calls back unless the wire is gone.
  template <class Function>
  auto guarded(Function function) {
    return [self = shared_from_this(), function](const error_code& error, const auto&... more) {
      if (self->open) function(*self, error, more...);
    };
  }

  void connect(const Resolver::Endpoints& endpoints) {
    const auto come = [](Link& self, const error_code& error, const auto&) {
      self.on_connected(error);
    };
    asio::async_connect(socket, endpoints, guarded(come));
  }
  void on_connected(const error_code& error) {
    if (error) return finish(connected, cause_of(error));
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    socket.set_option(asio::socket_base::keep_alive(true), ignored);
    if (tls) return shake_hands();
    finish(connected, {});
  }
  void read_plain() {
    const auto come = [](Link& self, const error_code& error, std::size_t size) {
      self.on_read(cause_of(error), size);
    };
    socket.async_read_some(asio::buffer(in), guarded(come));
  }
  void on_read(std::string failure, std::size_t size) {
    const Wire::Read last = std::move(read);
    last(std::move(failure), {in.data(), size});
  }
  void send(std::string& bytes) {
    out.clear();
    out.swap(bytes);
    const auto gone = [](Link& self, const error_code& error, std::size_t) { self.on_sent(error); };
    asio::async_write(socket, asio::buffer(out), guarded(gone));
  }
  void on_sent(const error_code& error) {
    if (tls) {
      tls->is_sending = false;
      if (!error && !tls->to_send.empty()) return send_more();
    }
    if (written) finish(written, cause_of(error));
  }
  void close() {
    open = false;
    error_code ignored;
    socket.close(ignored);
    connected = {};
    read = {};
    written = {};
  }

  // --- with TLS ---

  struct Tls {
    Tls(const TlsContext& context, const std::string& host) : session(context, host) {}

    TlsSession session;
    Buffer in;
    std::string to_send;
    bool is_sending = false;
  };

  void shake_hands() {
    const auto state = tls->session.shake_hands();
    send_more();
    if (state == TlsSession::State::kWantsMore)
      return receive([](Link& self) { self.shake_hands(); });
    const bool failed = state == TlsSession::State::kFailed;
    finish(connected, failed ? tls->session.failure() : std::string());
  }
  // What the session says; none where it waits for the server.
  void read_deciphered() {
    std::size_t size = 0;
    const auto state = tls->session.read(in.data(), in.size(), size);
    send_more();
    if (state == TlsSession::State::kWantsMore) {
      return receive([](Link& self) { self.read_deciphered(); });
    }
    const bool failed = state == TlsSession::State::kFailed;
    later([size, failure = failed ? tls->session.failure() : std::string()](Link& self) {
      self.on_read(failure, size);
    });
  }
  void send_enciphered(std::string& bytes) {
    const auto state = tls->session.write(bytes);
    bytes.clear();
    if (state == TlsSession::State::kDone) return send_more();
    later([](Link& self) { finish(self.written, "its TLS takes nothing"); });
  }
  void send_more() {
    tls->session.put(tls->to_send);
    if (tls->is_sending || tls->to_send.empty()) return;
    tls->is_sending = true;
    send(tls->to_send);
  }
  template <class Function>
  void receive(Function then) {
    const auto come = [then](Link& self, const error_code& error, std::size_t size) {
      if (error) return self.on_lost(cause_of(error));
      self.tls->session.take({self.tls->in.data(), size});
      then(self);
    };
    socket.async_read_some(asio::buffer(tls->in), guarded(come));
  }
  void on_lost(std::string failure) {
    if (connected) return finish(connected, std::move(failure));
    on_read(std::move(failure), 0);
  }
  // Nobody is called back from within a call.
  template <class Function>
  void later(Function function) {
    asio::post(socket.get_executor(), [self = shared_from_this(), function] {
      if (self->open) function(*self);
    });
  }

  Address address;
  tcp::socket socket;
  std::optional<Tls> tls;
  bool open = true;
  Buffer in;
  std::string out;
  Wire::Done connected;
  Wire::Read read;
  Wire::Done written;
};

class NetWire final : public Wire {
 public:
  NetWire(Resolver& resolver, std::shared_ptr<Link> link)
      : resolver_(resolver), link_(std::move(link)) {}
  NetWire(const NetWire&) = delete;
  NetWire& operator=(const NetWire&) = delete;
  ~NetWire() override { link_->close(); }

  void connect(Done done) override {
    link_->connected = std::move(done);
    resolver_.resolve(link_->address, [link = link_](Result<Resolver::Endpoints> found) {
      if (!link->open) return;
      if (!found) return finish(link->connected, found.error().message);
      link->connect(*found);
    });
  }
  void read(Read done) override {
    link_->read = std::move(done);
    if (link_->tls) return link_->read_deciphered();
    link_->read_plain();
  }
  void write(std::string& bytes, Done done) override {
    link_->written = std::move(done);
    if (link_->tls) return link_->send_enciphered(bytes);
    link_->send(bytes);
  }

 private:
  Resolver& resolver_;
  std::shared_ptr<Link> link_;
};

}  // namespace

NetDialer::NetDialer(asio::io_context& loop, TlsContext tls)
    : loop_(loop), resolver_(loop), tls_(std::move(tls)) {}

std::unique_ptr<Wire> NetDialer::dial(const Address& address) {
  return std::make_unique<NetWire>(resolver_, std::make_shared<Link>(address, loop_, tls_));
}

}  // namespace concur::engine
