#include "net/client_stream.hpp"

#include "net/client.hpp"
#include "support/fake_daemon.hpp"
#include "support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <poll.h>

#include <string>

using namespace concur;
using namespace concur::test;
using namespace std::chrono_literals;

namespace {

ClientStream open_stream(const std::string& path, ClientStream::Body body) {
  auto stream = Client({path}, 5s).open("POST", "/x", body);
  REQUIRE(stream.has_value());
  return std::move(*stream);
}

// Advances once something of the stream happened.
Result<void> turn(ClientStream& stream) {
  pollfd entry{.fd = stream.fd(), .events = stream.events(true), .revents = 0};
  REQUIRE(::poll(&entry, 1, 10'000) == 1);
  return stream.advance(true);
}

// All of the body, or what came of it before an error.
std::string rest_of(ClientStream& stream) {
  std::string body;
  while (!stream.done()) {
    const auto turned = turn(stream);
    body += stream.take_body();
    if (!turned) return body + turned.error().message;
  }
  return body;
}

constexpr const char* kHead =
    "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n";

}  // namespace

TEST_CASE("ClientStream") {
  const TempFolder folder;
  const std::string path = folder.file("socket");

  SUBCASE("sends the parts of a body as chunks, and has an answer to one before the next is sent") {
    std::string seen;
    {
      FakeDaemon daemon(path, [&seen](Peer& peer) {
        seen = peer.receive_until("a\n\r\n");
        peer.send(kHead);
        peer.send("2\r\n1\n\r\n");
        seen += peer.receive_until("0\r\n\r\n");
        peer.send("2\r\n2\n\r\n0\r\n\r\n");
      });
      auto stream = open_stream(path, ClientStream::Body::kChunked);
      stream.write("a\n");
      CHECK(stream.unsent() > 0);
      std::string body;
      while (body.empty()) {
        REQUIRE(turn(stream).has_value());
        body = stream.take_body();
      }
      CHECK(body == "1\n");
      CHECK(stream.status() == 200);
      CHECK(stream.json());
      CHECK_FALSE(stream.done());
      stream.write("bc\n");
      stream.finish();
      CHECK(rest_of(stream) == "2\n");
    }
    CHECK(seen ==
          "POST /x HTTP/1.1\r\nHost: concurrencyd\r\nConnection: close\r\n"
          "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
          "2\r\na\n\r\n3\r\nbc\n\r\n0\r\n\r\n");
  }

  SUBCASE("leaves the answer on the connection where it is not taken") {
    FakeDaemon daemon(path, [](Peer& peer) {
      peer.receive();
      peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab");
    });
    auto stream = open_stream(path, ClientStream::Body::kNone);
    CHECK(stream.events(false) == POLLOUT);
    REQUIRE(stream.advance(false).has_value());
    CHECK(stream.events(false) == 0);
    CHECK(stream.events(true) == POLLIN);
    CHECK_FALSE(stream.answered());
    CHECK(rest_of(stream) == "ab");
  }

  SUBCASE("reads an answer given before the body was taken") {
    FakeDaemon daemon(path, [](Peer& peer) {
      peer.send("HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 3\r\n\r\n{}\n");
    });
    auto stream = open_stream(path, ClientStream::Body::kChunked);
    stream.write(std::string(4'000'000, 'x'));
    CHECK(rest_of(stream) == "{}\n");
    CHECK(stream.status() == 403);
  }

  SUBCASE("tells of an answer that was cut off, after what came of it") {
    FakeDaemon daemon(path, answer_with(std::string(kHead) + "2\r\n1\n\r\n"));
    auto stream = open_stream(path, ClientStream::Body::kNone);
    const std::string body = rest_of(stream);
    CHECK(body.starts_with("1\ncannot read the answer from " + path + ": it was cut off; "));
  }

  SUBCASE("tells that the daemon closed without an answer") {
    FakeDaemon daemon(path, answer_with(""));
    auto stream = open_stream(path, ClientStream::Body::kNone);
    CHECK(contains(rest_of(stream), "it closed the connection; "));
  }
}
