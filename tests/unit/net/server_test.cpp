#include "net/server.hpp"

#include "api/client_memory.hpp"
#include "api/message.hpp"
#include "net/unix_gate.hpp"

#include "support/fake_daemon.hpp"
#include "support/moments.hpp"
#include "support/temp_folder.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace concur;
using namespace concur::test;

namespace {

constexpr std::size_t kClients = 8;
constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nHost: concurrencyd\r\n\r\n";

struct AnswersAll : Handler {
  void begin(Call& /*call*/) override {}
  std::shared_ptr<BodySink> handle(const Call& /*call*/, Respond respond) override {
    Response response;
    response.body = "{}\n";
    respond(std::move(response));
    return nullptr;
  }
};

// Answers the first one when the test says so, and the others at length.
struct HoldsFirst : AnswersAll {
  std::shared_ptr<BodySink> handle(const Call& /*call*/, Respond respond) override {
    if (std::exchange(first, false)) {
      held = std::move(respond);
    } else {
      Response response;
      response.body = std::string(4096, 'y');
      respond(std::move(response));
    }
    return nullptr;
  }

  bool first = true;
  Respond held;
};

Fd connect_to_socket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

void send_request(const Fd& fd) {
  REQUIRE(::send(fd.get(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL) > 0);
}

std::string receive(const Fd& fd) {
  std::string text(1024, '\0');
  const ssize_t got = ::recv(fd.get(), text.data(), text.size(), 0);
  text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return text;
}

// A server and all that it needs.
template <class Answers>
struct Fixture {
  Fixture() {
    Fd listener = listen_on(path, 16);
    REQUIRE(::fcntl(listener.get(), F_SETFL, O_NONBLOCK) == 0);
    server.emplace(turn, std::move(listener), gate, handler, memory, log);
  }

  TempFolder folder;
  std::string path = folder.file("socket");
  Answers handler;
  Logger log{LogLevel::kError, LogFormat::kText};
  FakeClock clock;
  ClientMemory memory{clock, log};
  boost::asio::io_context loop{1};
  Turn turn{loop};
  UnixGate gate{Operators{}};
  std::optional<Server> server;
};

// How many of eight clients have an answer, where the server stops after so many handlers have run
// since they sent.
std::size_t answered_after(std::size_t turns, bool accepted_before) {
  Fixture<AnswersAll> fixture;
  boost::asio::io_context& loop = fixture.loop;
  Server& server = *fixture.server;
  std::vector<Fd> clients(kClients);
  for (Fd& client : clients) client = connect_to_socket(fixture.path);
  while (accepted_before && server.connections() < kClients) loop.run_one();
  for (const Fd& client : clients) send_request(client);
  for (std::size_t turn = 0; turn < turns; ++turn) loop.poll_one();
  server.drain(Server::Backlog::kAnswer, [&loop] { loop.stop(); });
  loop.run();
  CHECK(server.connections() == 0);
  return static_cast<std::size_t>(std::ranges::count_if(
      clients, [](const Fd& client) { return receive(client).starts_with("HTTP/1.1 200"); }));
}

}  // namespace

// As it stops, what has arrived may be in the kernel, in the loop's hands, or half answered.
TEST_CASE("Server answers all that was sent before it stops") {
  for (std::size_t turns = 0; turns < 4 * kClients; ++turns) {
    CAPTURE(turns);
    CHECK(answered_after(turns, true) == kClients);
    CHECK(answered_after(turns, false) == kClients);
  }
}

// Where the client reads and sends in one moment, the server may write and read in one turn.
TEST_CASE("Server answers what comes while a long answer is read, however much it is") {
  constexpr std::size_t kMore = 200;
  constexpr std::size_t kLong = 300'000;  // more than the socket takes
  Fixture<HoldsFirst> fixture;
  const Fd client = connect_to_socket(fixture.path);
  std::string got;
  const auto read_all = [&] {
    for (std::string part = receive(client); !part.empty(); part = receive(client)) got += part;
  };
  const auto send = [&](const std::string& text) {
    REQUIRE(::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
  };

  const std::string half(kRequest.substr(0, kRequest.size() / 2));
  send(std::string(kRequest) + half);
  fixture.loop.poll();
  Response response;
  response.body = std::string(kLong, 'x');
  fixture.handler.held(std::move(response));
  fixture.loop.poll();
  read_all();
  CHECK(got.size() < kLong);

  std::string rest(kRequest.substr(half.size()));
  for (std::size_t i = 0; i < kMore; ++i) rest += kRequest;
  send(rest);
  for (int i = 0; i < 100; ++i) {
    fixture.loop.poll();
    read_all();
  }
  std::size_t answers = 0;
  for (std::size_t at = got.find("HTTP/1.1 200"); at != std::string::npos;
       at = got.find("HTTP/1.1 200", at + 1)) {
    ++answers;
  }
  CHECK(answers == 1 + 1 + kMore);
}
