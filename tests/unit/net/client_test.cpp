#include "net/client.hpp"

#include "support/fake_daemon.hpp"
#include "support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

using namespace concur;
using namespace concur::test;
using namespace std::chrono_literals;

namespace {

Error error_of(const std::string& path, Millis timeout = 100ms) {
  Client client({path}, timeout);
  const auto answer = client.request("GET", "/");
  REQUIRE_FALSE(answer.has_value());
  return answer.error();
}

}  // namespace

TEST_CASE("Client asks") {
  const TempFolder folder;
  const std::string path = folder.file("socket");

  SUBCASE("a request without a body, as HTTP/1.1") {
    std::string seen;
    {
      FakeDaemon daemon(path, [&seen](Peer& peer) {
        seen = peer.receive();
        peer.answer("{}\n");
      });
      Client client({path}, 5s);
      const auto answer = client.request("GET", "/v1/status");
      REQUIRE(answer.has_value());
      CHECK(answer->status == 200);
      CHECK(answer->json);
      CHECK(answer->body == "{}\n");
    }
    CHECK(seen == "GET /v1/status HTTP/1.1\r\nHost: concurrencyd\r\n\r\n");
  }

  SUBCASE("a request with a body, with its type and length") {
    std::string seen;
    {
      FakeDaemon daemon(path, [&seen](Peer& peer) {
        seen = peer.receive();
        peer.answer("{}\n");
      });
      REQUIRE(Client({path}, 5s).request("PUT", "/x", R"({"ttl":5})").has_value());
    }
    CHECK(seen ==
          "PUT /x HTTP/1.1\r\nHost: concurrencyd\r\nContent-Type: application/json\r\n"
          "Content-Length: 9\r\n\r\n{\"ttl\":5}");
  }

  SUBCASE("many requests over one connection") {
    FakeDaemon daemon(path, answer_all);
    Client client({path}, 5s);
    for (int i = 0; i < 5; ++i) CHECK(client.request("GET", "/").has_value());
    CHECK(daemon.connections() == 1);
  }

  SUBCASE("over a new connection where the daemon closed the last one after its answer") {
    FakeDaemon daemon(path, [](Peer& peer) {
      peer.receive();
      peer.answer("{}\n");
    });
    Client client({path}, 5s);
    for (int i = 1; i <= 3; ++i) {
      CHECK(client.request("GET", "/").has_value());
      daemon.wait_until_closed(i);
    }
    CHECK(daemon.connections() == 3);
  }

  SUBCASE("over a new connection where the daemon said it would close") {
    FakeDaemon daemon(path, [](Peer& peer) {
      peer.receive();
      peer.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      peer.wait();
    });
    Client client({path}, 5s);
    CHECK(client.request("GET", "/").has_value());
    CHECK(client.request("GET", "/").has_value());
    CHECK(daemon.connections() == 2);
  }

  SUBCASE("only once, where the connection ends after the request was sent") {
    FakeDaemon daemon(path, [](Peer& peer) { peer.receive(); });
    CHECK(error_of(path, 500ms).kind == ErrorKind::kUnavailable);
    CHECK(daemon.connections() == 1);
  }

  SUBCASE("the first of its paths that accepts") {
    const std::string second = folder.file("second");
    FakeDaemon daemon(second, answer_all);
    Client client({path, second}, 5s);
    CHECK(client.request("GET", "/").has_value());
  }

  SUBCASE("a daemon that comes up while it waits") {
    std::thread later;
    std::atomic<bool> asked = false;
    later = std::thread([&path, &asked] {
      std::this_thread::sleep_for(100ms);
      FakeDaemon daemon(path, answer_all);
      while (!asked) std::this_thread::sleep_for(1ms);
    });
    CHECK(Client({path}, 5s).request("GET", "/").has_value());
    asked = true;
    later.join();
  }
}

TEST_CASE("Client reads an answer") {
  const TempFolder folder;
  const std::string path = folder.file("socket");
  Client client({path}, 5s);

  SUBCASE("that comes byte by byte") {
    FakeDaemon daemon(path, [](Peer& peer) {
      peer.receive();
      for (const char c :
           std::string_view("HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\n"
                            "Content-Length: 12\r\n\r\n{\"error\":1}\n")) {
        peer.send({&c, 1});
        std::this_thread::sleep_for(200us);
      }
    });
    const auto answer = client.request("GET", "/");
    REQUIRE(answer.has_value());
    CHECK(answer->status == 409);
    CHECK(answer->json);
    CHECK(answer->body == "{\"error\":1}\n");
  }

  SUBCASE("of several megabytes") {
    const std::string body(5'000'000, 'x');
    FakeDaemon daemon(path, [&body](Peer& peer) {
      peer.receive();
      peer.answer(body);
    });
    const auto answer = client.request("GET", "/");
    REQUIRE(answer.has_value());
    CHECK(answer->body == body);
  }

  SUBCASE("in chunks") {
    FakeDaemon daemon(path, answer_with("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                        "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"));
    const auto answer = client.request("GET", "/");
    REQUIRE(answer.has_value());
    CHECK_FALSE(answer->json);
    CHECK(answer->body == "abcde");
  }

  SUBCASE("that ends with the connection") {
    FakeDaemon daemon(path, answer_with("HTTP/1.1 200 OK\r\n\r\nabc"));
    const auto answer = client.request("GET", "/");
    REQUIRE(answer.has_value());
    CHECK(answer->body == "abc");
  }

  SUBCASE("without a body") {
    FakeDaemon daemon(path, answer_with("HTTP/1.1 204 No Content\r\n\r\n"));
    const auto answer = client.request("GET", "/");
    REQUIRE(answer.has_value());
    CHECK(answer->status == 204);
    CHECK(answer->body.empty());
  }

  SUBCASE("given before the request was read to its end") {
    FakeDaemon daemon(path, [](Peer& peer) {
      peer.send("HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\n{}\n");
    });
    const auto answer = client.request("PUT", "/", std::string(4'000'000, 'x'));
    REQUIRE(answer.has_value());
    CHECK(answer->status == 413);
  }
}

TEST_CASE("Client tells of an answer it cannot have") {
  const TempFolder folder;
  const std::string path = folder.file("socket");

  SUBCASE("that none came in time") {
    FakeDaemon daemon(path, [](Peer& peer) {
      peer.receive();
      peer.wait();
    });
    const auto begin = std::chrono::steady_clock::now();
    const Error error = error_of(path);
    CHECK(error.kind == ErrorKind::kTimeout);
    CHECK(contains(error.message, "cannot get an answer from " + path + ": none within 100ms; "));
    CHECK(std::chrono::steady_clock::now() - begin >= 100ms);
  }

  SUBCASE("that none came though the daemon was given more time") {
    FakeDaemon daemon(path, [](Peer& peer) {
      peer.receive();
      peer.wait();
    });
    const auto begin = std::chrono::steady_clock::now();
    Client client({path}, 50ms);
    const auto answer = client.request("PUT", "/", {}, 150ms);
    REQUIRE(answer.has_error());
    CHECK(contains(answer.error().message, ": none within 200ms; "));
    CHECK(std::chrono::steady_clock::now() - begin >= 200ms);
  }

  SUBCASE("that nobody is there, which is known without that time") {
    const auto begin = std::chrono::steady_clock::now();
    CHECK(Client({path}, 50ms).request("PUT", "/", {}, 1h).has_error());
    CHECK(std::chrono::steady_clock::now() - begin < 1min);
  }

  SUBCASE("that it did not end in time") {
    FakeDaemon daemon(path, [](Peer& peer) {
      peer.receive();
      peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
      peer.wait();
    });
    CHECK(error_of(path).kind == ErrorKind::kTimeout);
  }

  SUBCASE("that the request could not be sent in time") {
    const Fd listener = listen_on(path, 1);
    Client client({path}, 100ms);
    const auto answer = client.request("PUT", "/", std::string(4'000'000, 'x'));
    CHECK(answer.error().kind == ErrorKind::kTimeout);
  }

  SUBCASE("that the daemon closed") {
    FakeDaemon daemon(path, answer_with(""));
    const Error error = error_of(path);
    CHECK(error.kind == ErrorKind::kUnavailable);
    CHECK(contains(error.message, "it closed the connection; "));
  }

  SUBCASE("that it is not HTTP") {
    FakeDaemon daemon(path, answer_with("220 mail.example.com ESMTP\r\n\r\n"));
    const Error error = error_of(path);
    CHECK(error.kind == ErrorKind::kCorrupt);
    CHECK(contains(error.message, "cannot read the answer from " + path + ": it is not HTTP; "));
  }

  SUBCASE("that it is no final answer") {
    FakeDaemon daemon(path, answer_with("HTTP/1.1 101 Switching\r\n\r\n"));
    CHECK(error_of(path).kind == ErrorKind::kCorrupt);
  }

  SUBCASE("that its head was cut off") {
    FakeDaemon daemon(path, answer_with("HTTP/1.1 200 OK\r\nContent-Le"));
    const Error error = error_of(path);
    CHECK(error.kind == ErrorKind::kCorrupt);
    CHECK(contains(error.message, "it was cut off; "));
  }

  SUBCASE("that its body was cut off") {
    FakeDaemon daemon(path, answer_with("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"));
    CHECK(contains(error_of(path).message, "it was cut off; "));
  }

  SUBCASE("that it is too large") {
    FakeDaemon daemon(path, answer_with("HTTP/1.1 200 OK\r\nContent-Length: 67108865\r\n\r\n{"));
    const Error error = error_of(path);
    CHECK(error.kind == ErrorKind::kCorrupt);
    CHECK(contains(error.message, "larger than 64 MiB"));
  }

  SUBCASE("that its head is too large") {
    FakeDaemon daemon(path, answer_with("HTTP/1.1 200 OK\r\nX: " + std::string(70'000, 'x')));
    CHECK(error_of(path).kind == ErrorKind::kCorrupt);
  }
}
