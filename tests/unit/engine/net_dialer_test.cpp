#include "engine/net_dialer.hpp"

#include "support/certificates.hpp"

#include <doctest/doctest.h>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>

using namespace concur;
using namespace concur::engine;
using boost::asio::ip::tcp;
using concur::test::Certificates;
namespace ssl = boost::asio::ssl;

namespace {

// A server that sends back what it gets, on loopback in the same loop.
struct Echo {
  explicit Echo(boost::asio::io_context& loop)
      : acceptor(loop, tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), 0)),
        socket(loop) {}

  std::uint16_t port() const { return acceptor.local_endpoint().port(); }

  void serve() {
    acceptor.async_accept(socket, [this](const boost::system::error_code& error) {
      if (!error) echo(socket);
    });
  }
  void serve(ssl::context& context) {
    acceptor.async_accept(socket, [this, &context](const boost::system::error_code& error) {
      if (error) return;
      stream.emplace(std::move(socket), context);
      stream->async_handshake(ssl::stream_base::server, [this](const auto& failed) {
        if (!failed) echo(*stream);
      });
    });
  }
  template <class Stream>
  void echo(Stream& over) {
    over.async_read_some(boost::asio::buffer(bytes),
                         [this, &over](const auto& error, std::size_t size) {
                           if (error) return;
                           boost::asio::async_write(over, boost::asio::buffer(bytes, size),
                                                    [this, &over](const auto& failed, std::size_t) {
                                                      if (!failed) echo(over);
                                                    });
                         });
  }

  tcp::acceptor acceptor;
  tcp::socket socket;
  std::optional<ssl::stream<tcp::socket>> stream;
  std::array<char, 65536> bytes{};
};

struct Fixture {
  void dial(Dialer& dialer, const std::string& host) {
    wire = dialer.dial({host, echo.port()});
    connected.reset();
    wire->connect([this](std::string failure) { connected = std::move(failure); });
    run([this] { return connected.has_value(); });
  }
  // What comes back of that many bytes.
  std::string exchange(std::size_t size) {
    std::string sent(size, 'x');
    sent.front() = 'a';
    sent.back() = 'z';
    const std::string expected = sent;
    bool written = false;
    wire->write(sent, [&written](const std::string& failure) { written = failure.empty(); });
    CHECK(sent.empty());
    std::string received;
    while (received.size() < size) {
      bool came = false;
      wire->read([&](const std::string& failure, std::string_view bytes) {
        CHECK(failure.empty());
        received += bytes;
        came = true;
      });
      run([&came] { return came; });
    }
    run([&written] { return written; });
    return received == expected ? "the same" : "something else";
  }
  void run(const std::function<bool()>& until) {
    loop.restart();
    while (!until()) REQUIRE(loop.run_one() > 0);
  }

  boost::asio::io_context loop{1};
  Echo echo{loop};
  std::unique_ptr<Wire> wire;
  std::optional<std::string> connected;
};

std::string plain_failure(Fixture& f) {
  std::optional<std::string> failed;
  f.wire->read([&failed](std::string failure, std::string_view) { failed = std::move(failure); });
  f.run([&failed] { return failed.has_value(); });
  return *failed;
}

}  // namespace

TEST_CASE("NetDialer") {
  Fixture f;
  NetDialer dialer(f.loop);

  SUBCASE("carries bytes, few and many, by address and by name") {
    for (const char* host : {"127.0.0.1", "localhost"}) {
      CAPTURE(host);
      f.echo.socket = tcp::socket(f.loop);
      f.echo.serve();
      f.dial(dialer, host);
      CHECK(*f.connected == "");
      CHECK(f.exchange(2) == "the same");
      CHECK(f.exchange(1'000'000) == "the same");
    }
  }
  SUBCASE("says why there is no connection, and why one is over") {
    f.echo.serve();
    f.dial(dialer, "127.0.0.1");
    CHECK(f.exchange(2) == "the same");  // so that it was accepted
    f.echo.socket.close();
    CHECK(plain_failure(f) == "it closed the connection");
    const Address gone{"127.0.0.1", f.echo.port()};
    f.echo.acceptor.close();
    f.wire = dialer.dial(gone);
    f.connected.reset();
    f.wire->connect([&f](std::string failure) { f.connected = std::move(failure); });
    f.run([&f] { return f.connected.has_value(); });
    CHECK(*f.connected == "Connection refused");
  }
  SUBCASE("calls nobody back once the wire is gone") {
    f.echo.serve();
    f.dial(dialer, "127.0.0.1");
    bool called = false;
    f.wire->read([&called](const std::string&, std::string_view) { called = true; });
    std::string bytes = "x";
    f.wire->write(bytes, [&called](const std::string&) { called = true; });
    f.wire.reset();
    f.loop.restart();
    f.loop.poll();
    CHECK_FALSE(called);
  }
  SUBCASE("lets a wire be destroyed by what it calls back") {
    f.echo.serve();
    f.wire = dialer.dial({"127.0.0.1", f.echo.port()});
    bool called = false;
    f.wire->connect([&](const std::string&) {
      called = true;
      f.wire.reset();
    });
    f.run([&called] { return called; });
    f.loop.restart();
    f.loop.poll();
  }
}

TEST_CASE("NetDialer with TLS") {
  Fixture f;
  Certificates certificates;
  ssl::context server(ssl::context::tls_server);
  const auto serve_as = [&](const Certificates::Files& files) {
    server.use_certificate_chain_file(files.cert);
    server.use_private_key_file(files.key, ssl::context::pem);
    f.echo.serve(server);
  };
  const auto dial = [&](const TlsFiles& files, const std::string& host) {
    const auto context = load_tls(files);
    REQUIRE(context.has_value());
    NetDialer dialer(f.loop, *context);
    f.dial(dialer, host);
    return *f.connected;
  };

  SUBCASE("carries bytes from whom the authority vouches for, by address and by name") {
    for (const auto& [whom, host] :
         {std::pair("IP:127.0.0.1", "127.0.0.1"), std::pair("DNS:localhost", "localhost")}) {
      CAPTURE(host);
      Fixture g;
      ssl::context its(ssl::context::tls_server);
      const auto files = certificates.sign("server", whom);
      its.use_certificate_chain_file(files.cert);
      its.use_private_key_file(files.key, ssl::context::pem);
      g.echo.serve(its);
      const auto context = load_tls({certificates.ca(), "", ""});
      NetDialer dialer(g.loop, *context);
      g.dial(dialer, host);
      CHECK(*g.connected == "");
      CHECK(g.exchange(2) == "the same");
      CHECK(g.exchange(1'000'000) == "the same");
      g.wire.reset();
    }
  }
  SUBCASE("refuses another name, another authority, and what ran out, and says which") {
    SUBCASE("name") {
      serve_as(certificates.sign("server", "DNS:other.example.org"));
      CHECK(dial({certificates.ca(), "", ""}, "localhost").find("certificate is not accepted") !=
            std::string::npos);
    }
    SUBCASE("authority") {
      Certificates others;
      serve_as(others.sign("server", "IP:127.0.0.1"));
      CHECK(dial({certificates.ca(), "", ""}, "127.0.0.1")
                .starts_with("its certificate is not accepted: "));
    }
    SUBCASE("time") {
      serve_as(certificates.sign("server", "IP:127.0.0.1", -60));
      CHECK(dial({certificates.ca(), "", ""}, "127.0.0.1") ==
            "its certificate is not accepted: certificate has expired");
    }
  }
  SUBCASE("presents itself where it is told to") {
    server.set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert);
    server.load_verify_file(certificates.ca());
    serve_as(certificates.sign("server", "IP:127.0.0.1"));
    const auto own = certificates.sign("client", "DNS:edge");
    CHECK(dial({certificates.ca(), own.cert, own.key}, "127.0.0.1") == "");
    CHECK(f.exchange(10) == "the same");
  }
  SUBCASE("says where it talks to a server without TLS") {
    f.echo.serve();
    CHECK_FALSE(dial({certificates.ca(), "", ""}, "127.0.0.1").empty());
  }
  f.wire.reset();
}

TEST_CASE("load_tls") {
  Certificates certificates;
  const auto own = certificates.sign("client", "DNS:edge");
  CHECK(load_tls({}).has_value());
  for (const TlsFiles& files :
       {TlsFiles{"/nowhere", "", ""}, TlsFiles{"", "/nowhere", ""}, TlsFiles{"", "", "/nowhere"},
        TlsFiles{own.key, "", ""}, TlsFiles{"", own.cert, certificates.ca()}}) {
    const auto context = load_tls(files);
    REQUIRE(context.has_error());
    CHECK(context.error().kind == ErrorKind::kInvalid);
    CHECK(context.error().message.starts_with("cannot use /"));
  }
}
