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

// Writes down what it is told, and does what it is given to do.
struct Diarist final : Poller::Watcher {
  Diarist(std::string its_name, std::vector<std::string>& its_diary)
      : name(std::move(its_name)), diary(its_diary) {}

  void on_ready(unsigned events) override {
    diary.push_back(name + ((events & EPOLLHUP) != 0U  ? " hangup"
                            : (events & EPOLLIN) != 0U ? " input"
                                                       : " output"));
    if (when_ready) when_ready();
  }
  void on_turn_end() override {
    diary.push_back(name + " end");
    if (when_turn_ends) when_turn_ends();
  }

  std::string name;
  std::vector<std::string>& diary;
  std::function<void()> when_ready;
  std::function<void()> when_turn_ends;
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

using Diary = std::vector<std::string>;

}  // namespace

TEST_CASE("Poller") {
  boost::asio::io_context loop(1);
  Poller poller(loop);
  Diary diary;
  const auto ada = std::make_shared<Diarist>("ada", diary);
  const auto bob = std::make_shared<Diarist>("bob", diary);
  const Pair of_ada;
  const Pair of_bob;
  REQUIRE(poller.watch(of_ada.here.get(), *ada, {}, EPOLLIN));
  REQUIRE(poller.watch(of_bob.here.get(), *bob, {}, EPOLLIN));
  ada->when_ready = [&] { of_ada.receive(); };
  bob->when_ready = [&] { of_bob.receive(); };

  SUBCASE("tells all that is ready in one turn of the loop, and of its end behind that") {
    ada->when_ready = [&] {
      of_ada.receive();
      poller.later(ada);
    };
    of_ada.send();
    of_bob.send();
    REQUIRE(loop.run_one() == 1);
    CHECK(diary == Diary{"ada input", "bob input", "ada end"});
  }
  SUBCASE("calls whoever asks at a turn's first end once more, behind all others") {
    ada->when_ready = [&] {
      of_ada.receive();
      poller.later(ada);
    };
    bob->when_ready = [&] {
      of_bob.receive();
      poller.later(bob);
    };
    ada->when_turn_ends = [&] {
      if (diary.size() == 3) poller.later(ada);
    };
    of_ada.send();
    of_bob.send();
    REQUIRE(loop.run_one() == 1);
    CHECK(diary == Diary{"ada input", "bob input", "ada end", "bob end", "ada end"});
  }
  SUBCASE("tells again what nobody did anything about") {
    bob->when_ready = nullptr;
    of_bob.send();
    REQUIRE(loop.run_one() == 1);
    REQUIRE(loop.run_one() == 1);
    CHECK(diary == Diary{"bob input", "bob input"});
  }
  SUBCASE("tells nothing of whom it forgot in the same turn") {
    ada->when_ready = [&] {
      of_ada.receive();
      poller.forget(*bob);
    };
    of_ada.send();
    of_bob.send();
    REQUIRE(loop.run_one() == 1);
    CHECK(diary == Diary{"ada input"});
  }
  SUBCASE("watches for nothing but hangups, and then no more") {
    REQUIRE(poller.watch(of_bob.here.get(), *bob, EPOLLIN, 0U));
    bob->when_ready = [&] { REQUIRE(poller.watch(of_bob.here.get(), *bob, 0U, {})); };
    of_bob.send();
    loop.poll();
    CHECK(diary.empty());
    REQUIRE(::shutdown(of_bob.here.get(), SHUT_RDWR) == 0);
    loop.poll();
    CHECK(diary == Diary{"bob hangup"});
  }
  SUBCASE(
      "calls those who ask outside of a turn soon, once for each time, whatever they ask then") {
    ada->when_turn_ends = [&] { poller.later(bob); };
    poller.later(ada);
    poller.later(bob);
    CHECK(diary.empty());
    loop.poll();
    CHECK(diary == Diary{"ada end", "bob end", "bob end"});
  }
  SUBCASE("keeps those alive who are to be called") {
    auto eve = std::make_shared<Diarist>("eve", diary);
    poller.later(eve);
    const std::weak_ptr<Diarist> seen = eve;
    eve.reset();
    CHECK(!seen.expired());
    loop.poll();
    CHECK(diary == Diary{"eve end"});
    CHECK(seen.expired());
  }
  SUBCASE("says where a socket cannot be watched") { CHECK(!poller.watch(-1, *ada, {}, EPOLLIN)); }
}
