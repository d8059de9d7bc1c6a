#include "net/poller.hpp"

#include "base/fd.hpp"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace concur;

namespace {

// Records how it is called, and does what it is given to do.
struct Recorder final : Poller::Watcher {
  Recorder(std::string its_name, std::vector<std::string>& its_record)
      : name(std::move(its_name)), record(its_record) {}

  void on_ready(unsigned events) override {
    record.push_back(name + ((events & EPOLLHUP) != 0U  ? " hangup"
                             : (events & EPOLLIN) != 0U ? " input"
                                                        : " output"));
    if (when_ready) when_ready();
  }

  std::string name;
  std::vector<std::string>& record;
  std::function<void()> when_ready;
};

// What a stage runs.
struct End final : Turn::Step {
  explicit End(std::vector<std::string>& its_record) : record(its_record) {}
  void run() override {
    record.emplace_back("end");
    if (then) then();
  }

  std::vector<std::string>& record;
  std::function<void()> then;
};

struct Pair {
  Pair() {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
    here = Fd(ends[0]);
    there = Fd(ends[1]);
  }
  void send() const { REQUIRE(::send(there.get(), "x", 1, 0) == 1); }
  void receive() const {
    char byte = 0;
    REQUIRE(::recv(here.get(), &byte, 1, 0) == 1);
  }

  Fd here;
  Fd there;
};

using Record = std::vector<std::string>;

}  // namespace

TEST_CASE("Poller") {
  boost::asio::io_context loop(1);
  Turn turn(loop);
  Poller poller(turn);
  Record record;
  const auto ada = std::make_shared<Recorder>("ada", record);
  const auto bob = std::make_shared<Recorder>("bob", record);
  const Pair of_ada;
  const Pair of_bob;
  REQUIRE(poller.watch(of_ada.here.get(), *ada, {}, EPOLLIN));
  REQUIRE(poller.watch(of_bob.here.get(), *bob, {}, EPOLLIN));
  ada->when_ready = [&] { of_ada.receive(); };
  bob->when_ready = [&] { of_bob.receive(); };

  SUBCASE("calls all who are ready at the beginning of one turn") {
    End end(record);
    ada->when_ready = [&] {
      of_ada.receive();
      turn.at(Turn::Stage::kDecide, end);
    };
    of_ada.send();
    of_bob.send();
    REQUIRE(loop.run_one() == 1);
    CHECK(record == Record{"ada input", "bob input", "end"});
  }
  SUBCASE("waits anew before the turn ends, for its last stage may hand the loop over") {
    End end(record);
    ada->when_ready = [&] {
      of_ada.receive();
      turn.at(Turn::Stage::kCommit, end);
    };
    end.then = [&] {
      of_bob.send();
      REQUIRE(loop.run_one() == 1);
    };
    of_ada.send();
    REQUIRE(loop.run_one() == 1);
    CHECK(record == Record{"ada input", "end", "bob input"});
  }
  SUBCASE("calls again where nobody did anything about it") {
    bob->when_ready = nullptr;
    of_bob.send();
    REQUIRE(loop.run_one() == 1);
    REQUIRE(loop.run_one() == 1);
    CHECK(record == Record{"bob input", "bob input"});
  }
  SUBCASE("does not call whom it forgot in the same turn") {
    ada->when_ready = [&] {
      of_ada.receive();
      poller.forget(*bob);
    };
    of_ada.send();
    of_bob.send();
    REQUIRE(loop.run_one() == 1);
    CHECK(record == Record{"ada input"});
  }
  SUBCASE("watches for nothing but hangups, and then no more") {
    REQUIRE(poller.watch(of_bob.here.get(), *bob, EPOLLIN, 0U));
    bob->when_ready = [&] { REQUIRE(poller.watch(of_bob.here.get(), *bob, 0U, {})); };
    of_bob.send();
    loop.poll();
    CHECK(record.empty());
    REQUIRE(::shutdown(of_bob.here.get(), SHUT_RDWR) == 0);
    loop.poll();
    CHECK(record == Record{"bob hangup"});
  }
  SUBCASE("says where a socket cannot be watched") { CHECK(!poller.watch(-1, *ada, {}, EPOLLIN)); }
}
