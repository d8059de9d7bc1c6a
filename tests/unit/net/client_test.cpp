#include "net/client.hpp"

#include "base/fd.hpp"
#include "support/temp_folder.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

using namespace concur;
using concur::test::TempFolder;
using namespace std::chrono_literals;

namespace {

Fd listen_on(const std::string& path, int backlog) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(fd.get(), backlog) == 0);
  return fd;
}

// One connection of the daemon below, as a test's script of it sees it.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}

  // The head of a request and its body; empty once the client is gone.
  std::string receive() {
    std::string text;
    while (text.find("\r\n\r\n") == std::string::npos || text.size() < length_of(text)) {
      char buffer[4096];
      const ssize_t got = ::recv(fd_.get(), buffer, sizeof buffer, 0);
      if (got <= 0) return {};
      text.append(buffer, static_cast<std::size_t>(got));
    }
    return text;
  }

  void send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  void answer(std::string_view body) {
    send(fmt::format(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
        body.size(), body));
  }

  // Until the client closes.
  void wait() { receive(); }

 private:
  static std::size_t length_of(const std::string& text) {
    constexpr std::string_view kField = "Content-Length: ";
    const std::size_t head = text.find("\r\n\r\n") + 4;
    const std::size_t field = text.find(kField);
    return field == std::string::npos ? head
                                      : head + std::stoul(text.substr(field + kField.size()));
  }

  Fd fd_;
};

// A daemon that plays the script on each connection, one after the other.
class FakeDaemon {
 public:
  using Script = std::function<void(Peer&)>;

  FakeDaemon(const std::string& path, Script script)
      : listener_(listen_on(path, 16)),
        thread_([this, script = std::move(script)] { run(script); }) {}
  ~FakeDaemon() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  FakeDaemon(const FakeDaemon&) = delete;
  FakeDaemon& operator=(const FakeDaemon&) = delete;

  int connections() const { return connections_; }

 private:
  void run(const Script& script) {
    for (;;) {
      const int fd = ::accept(listener_.get(), nullptr, nullptr);
      if (fd < 0) return;
      ++connections_;
      Peer peer(fd);
      script(peer);
    }
  }

  Fd listener_;
  std::atomic<int> connections_ = 0;
  std::thread thread_;
};

void answer_all(Peer& peer) {
  while (!peer.receive().empty()) peer.answer("{}\n");
}

FakeDaemon::Script answer_with(std::string text) {
  return [text = std::move(text)](Peer& peer) {
    peer.receive();
    peer.send(text);
  };
}

Error error_of(const std::string& path, Millis timeout = 100ms) {
  Client client({path}, timeout);
  const auto answer = client.request("GET", "/");
  REQUIRE_FALSE(answer.has_value());
  return answer.error();
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// Root passes every permission: the test is nobody for a while.
class AsNobody {
 public:
  AsNobody() : was_root_(::geteuid() == 0) {
    if (was_root_) REQUIRE(::seteuid(65534) == 0);
  }
  ~AsNobody() {
    if (was_root_ && ::seteuid(0) != 0) std::abort();
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;

 private:
  bool was_root_;
};

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
    for (int i = 0; i < 3; ++i) {
      CHECK(client.request("GET", "/").has_value());
      std::this_thread::sleep_for(20ms);
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

TEST_CASE("Client tells of a connection it cannot make") {
  const TempFolder folder;
  const std::string path = folder.file("socket");
  const std::string dir = std::filesystem::path(path).parent_path();

  SUBCASE("that there is no socket") {
    const Error error = error_of(path);
    CHECK(error.kind == ErrorKind::kAbsent);
    CHECK(contains(error.message, "cannot connect to " + path + ": no such socket; "));
  }

  SUBCASE("that there is no folder for it") {
    CHECK(error_of(folder.file("folder/socket")).kind == ErrorKind::kAbsent);
  }

  SUBCASE("that the socket is stale") {
    listen_on(path, 1).close();
    const Error error = error_of(path);
    CHECK(error.kind == ErrorKind::kUnavailable);
    CHECK(contains(error.message, "nothing listens on it; "));
  }

  SUBCASE("that it is a file") {
    std::ofstream(path) << "text";
    CHECK(contains(error_of(path).message, "it is not a daemon's socket; "));
  }

  SUBCASE("that the path is too long, at once") {
    const auto begin = std::chrono::steady_clock::now();
    const Error error = error_of(folder.file(std::string(108, 'x')), 30s);
    CHECK(error.kind == ErrorKind::kInvalid);
    CHECK(contains(error.message, "at most 107 bytes"));
    CHECK(std::chrono::steady_clock::now() - begin < 10s);
  }

  SUBCASE("that the socket is forbidden, and to whom it is open, at once") {
    const Fd listener = listen_on(path, 1);
    ::chmod(dir.c_str(), 0755);
    ::chmod(path.c_str(), ::geteuid() == 0 ? 0600 : 0000);
    const auto begin = std::chrono::steady_clock::now();
    const AsNobody nobody;
    const Error error = error_of(path, 30s);
    CHECK(error.kind == ErrorKind::kForbidden);
    CHECK(contains(error.message, "permission denied; " + path + " is open to "));
    CHECK(std::chrono::steady_clock::now() - begin < 10s);
  }

  SUBCASE("that its folder is forbidden") {
    const Fd listener = listen_on(path, 1);
    ::chmod(dir.c_str(), ::geteuid() == 0 ? 0700 : 0000);
    {
      const AsNobody nobody;
      const Error error = error_of(path);
      CHECK(error.kind == ErrorKind::kForbidden);
      CHECK(contains(error.message, "permission denied; " + dir + " is open to "));
    }
    ::chmod(dir.c_str(), 0700);
  }

  SUBCASE("that the daemon takes no connection") {
    const Fd listener = listen_on(path, 0);
    Client first({path}, 50ms);
    CHECK(first.request("GET", "/").error().kind == ErrorKind::kTimeout);
    std::vector<Fd> waiting;
    for (int i = 0; i < 8; ++i) {
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      path.copy(address.sun_path, sizeof address.sun_path - 1);
      waiting.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      static_cast<void>(::connect(waiting.back().get(), reinterpret_cast<const sockaddr*>(&address),
                                  sizeof address));
    }
    const Error error = error_of(path);
    CHECK(error.kind == ErrorKind::kTimeout);
    CHECK(contains(error.message, "it took no connection within 100ms; "));
  }

  SUBCASE("each path, and the cause that tells most") {
    listen_on(path, 1).close();
    Client client({folder.file("none"), path}, 50ms);
    const Error error = client.request("GET", "/").error();
    CHECK(error.kind == ErrorKind::kUnavailable);
    CHECK(contains(error.message, fmt::format("cannot connect to {} (no such socket) or {} "
                                              "(nothing listens on it): its daemon ended",
                                              folder.file("none"), path)));
  }

  SUBCASE("that no path was given") {
    CHECK(Client({}, 1s).request("GET", "/").error().kind == ErrorKind::kInvalid);
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
