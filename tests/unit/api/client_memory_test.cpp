#include "api/client_memory.hpp"

#include "support/captured_log.hpp"
#include "support/moments.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

using namespace concur;

namespace {

struct Clients {
  std::unique_ptr<ClientMemory::Share> client(const std::string& name) {
    return std::make_unique<ClientMemory::Share>(memory, [this, name] {
      closed.push_back(name);
      return name;
    });
  }

  test::FakeClock clock;
  Logger log{LogLevel::kWarning, LogFormat::kText};
  ClientMemory memory{clock, log, 3 << 20};
  std::vector<std::string> closed;
};

}  // namespace

TEST_CASE("ClientMemory") {
  const test::CapturedLog captured;
  Clients clients;
  auto one = clients.client("one");
  auto two = clients.client("two");
  one->set(1 << 20);
  two->set(2 << 20);
  CHECK(clients.closed.empty());
  CHECK(clients.memory.total() == 3 << 20);

  SUBCASE("takes it from whoever holds most, even if it is another who asks for more") {
    one->set((1 << 20) + 1);
    CHECK(clients.closed == std::vector<std::string>{"two"});
    CHECK(clients.memory.total() == (1 << 20) + 1);
    REQUIRE(captured.lines(clients.log).size() == 1);
    CHECK(captured.lines(clients.log)
              .front()
              .ends_with("clients hold more than 3 MiB of requests and answers: closing the "
                         "connection of two, "
                         "which holds most of it, 2048 KiB; look for clients that do not read "
                         "their answers"));
  }
  SUBCASE("counts nothing more of whoever lost it") {
    two->set((2 << 20) + 1);
    CHECK(clients.closed == std::vector<std::string>{"two"});
    two->set(5 << 20);
    CHECK(clients.memory.total() == 1 << 20);
    CHECK(clients.closed.size() == 1);
  }
  SUBCASE("takes it from as many as it needs") {
    auto three = clients.client("three");
    three->set(3 << 20);
    CHECK(clients.closed == std::vector<std::string>{"three"});
    one->set((1 << 20) + 1);
    CHECK(clients.closed == std::vector<std::string>{"three", "two"});
  }
  SUBCASE("gets it back from those who give it and those who go") {
    two->set(0);
    CHECK(clients.memory.total() == 1 << 20);
    one.reset();
    CHECK(clients.memory.total() == 0);
    two->set(3 << 20);
    CHECK(clients.closed.empty());
  }
  SUBCASE("logs a few, and how many were held back") {
    for (int i = 0; i < 15; ++i) clients.client("many")->set(4 << 20);
    CHECK(captured.lines(clients.log).size() == 10);
    clients.clock.tick(std::chrono::minutes(1));
    clients.client("late")->set(4 << 20);
    CHECK(captured.lines(clients.log).back().ends_with("(5 more were closed before)"));
  }
}
