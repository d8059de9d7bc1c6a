#include "api/batch.hpp"

#include "support/fake_service.hpp"
#include "support/moments.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

using namespace concur;
using test::FakeClock;
using test::FakeService;

namespace {

using State = BodySource::State;

const std::string kBeat = "{\"command\":\"heartbeat\",\"user\":\"u\",\"session\":\"s\"}\n";

std::string start_line(std::string_view user) {
  return "{\"command\":\"start\",\"user\":\"" + std::string(user) + "\",\"session\":\"s\"}\n";
}

struct Exchange {
  explicit Exchange(bool may_set_limits = true, std::size_t most_memory = ClientMemory::kMax)
      : memory(clock, log, most_memory),
        batch(std::make_shared<CommandBatch>(
            commands, memory, "uid 1, pid 2", [may_set_limits] { return may_set_limits; },
            running)) {
    batch->set_waker([this] { ++woken; });
  }

  std::string read(State expected, std::size_t room = 1'000'000) {
    std::string out;
    CHECK(batch->read(out, room) == expected);
    return out;
  }

  FakeService service;
  FakeClock clock;
  CommandMeter commands{service, clock};
  Logger log{LogLevel::kError, LogFormat::kText};
  ClientMemory memory;
  std::shared_ptr<std::size_t> running = std::make_shared<std::size_t>(0);
  std::shared_ptr<CommandBatch> batch;
  int woken = 0;
};

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::size_t lines_in(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

TEST_CASE("CommandBatch") {
  Exchange exchange;
  CommandBatch& batch = *exchange.batch;

  SUBCASE("answers in the order of the lines, whichever is ready first") {
    CHECK(batch.take(start_line("a") + start_line("b") + kBeat));
    batch.finish();
    CHECK(exchange.read(State::kWaiting).empty());
    exchange.service.answer_newest();
    CHECK(exchange.woken == 0);
    CHECK(exchange.read(State::kWaiting).empty());
    exchange.service.answer_oldest();
    CHECK(exchange.woken == 1);
    const std::string out = exchange.read(State::kEnd);
    CHECK(out.starts_with("{\"status\":201,\"user\":\"a\","));
    CHECK(holds(out, "}\n{\"status\":201,\"user\":\"b\","));
    CHECK(holds(out, "}\n{\"status\":404,\"error\":\"not_found\","));
  }
  SUBCASE("takes lines cut anywhere, and a last one without an end") {
    const std::string text = kBeat + "\n \t\r\n" + kBeat.substr(0, kBeat.size() - 1);
    for (const char c : text) CHECK(batch.take({&c, 1}));
    CHECK(exchange.service.submitted == 1);
    batch.finish();
    CHECK(exchange.service.submitted == 2);
    CHECK(lines_in(exchange.read(State::kEnd)) == 2);
  }
  SUBCASE("gives whole lines of about the room there is") {
    batch.take(kBeat + kBeat + kBeat);
    batch.finish();
    const std::string first = exchange.read(State::kMore, 10);
    CHECK(lines_in(first) == 1);
    CHECK(lines_in(exchange.read(State::kMore, first.size() + 10)) == 1);
    CHECK(lines_in(exchange.read(State::kEnd, first.size())) == 1);
  }
  SUBCASE("refuses a line that is too long, and goes on behind it") {
    batch.take(std::string(CommandBatch::kMaxLineBytes, ' '));
    CHECK(exchange.read(State::kWaiting).empty());
    CHECK(exchange.woken == 0);
    batch.take("  ");
    CHECK(exchange.woken == 1);
    batch.take("x\n" + kBeat);
    batch.take(std::string(CommandBatch::kMaxLineBytes, 'x'));
    batch.take("y");
    batch.take("y\n" + kBeat);
    batch.finish();
    const std::string out = exchange.read(State::kEnd);
    CHECK(lines_in(out) == 4);
    CHECK(holds(out, "cannot read line 1: it has more than 64 KiB"));
    CHECK(holds(out, "cannot read line 3: it has more than 64 KiB"));
  }
  SUBCASE("ends behind the last command it takes") {
    for (std::uint64_t i = 0; i < CommandBatch::kMaxCommands; ++i) CHECK(batch.take(kBeat));
    CHECK_FALSE(batch.take(kBeat + kBeat));
    CHECK_FALSE(batch.take(kBeat));
    CHECK(exchange.service.submitted == CommandBatch::kMaxCommands);
    std::string out = exchange.read(State::kEnd, 10'000'000);
    CHECK(lines_in(out) == CommandBatch::kMaxCommands + 1);
    CHECK(holds(out, "{\"status\":413,"));
  }
  SUBCASE("ends behind the last byte it takes") {
    const std::string blank(CommandBatch::kMaxLineBytes - 1, ' ');
    for (std::uint64_t i = 0; i < CommandBatch::kMaxBytes / CommandBatch::kMaxLineBytes; ++i) {
      CHECK(batch.take(blank + "\n"));
    }
    CHECK_FALSE(batch.take("\n"));
    CHECK(holds(exchange.read(State::kEnd), "cannot read line 129: a batch has at most 8 MiB"));
  }
  SUBCASE("is full while too much is owed, holds what came, and takes it in its turn") {
    exchange.service.padding = std::size_t{1} << 20;
    batch.take(kBeat + kBeat + kBeat + kBeat + kBeat + kBeat);
    CHECK(exchange.service.submitted < 6);
    CHECK(batch.paused());
    batch.finish();
    CHECK(batch.paused());
    std::size_t lines = 0;
    for (int i = 0; i < 5; ++i) lines += lines_in(exchange.read(State::kMore, 1));
    CHECK(lines == 5);
    CHECK(lines_in(exchange.read(State::kEnd)) == 1);
    CHECK_FALSE(batch.paused());
    CHECK(exchange.service.submitted == 6);
  }
  SUBCASE("counts answers that are not there yet among what it owes") {
    std::uint64_t taken = 0;
    for (; taken < 9000 && !batch.paused(); ++taken) batch.take(start_line("a"));
    CHECK(taken == 9000);
    CHECK_FALSE(batch.paused());
  }
  SUBCASE("tells why the rest did not come, behind the answers that are owed") {
    batch.take(start_line("a") + "{\"comm");
    exchange.read(State::kWaiting);
    batch.give_up(408, "it did not arrive within 10 s");
    CHECK_FALSE(batch.take(kBeat));
    CHECK(exchange.read(State::kWaiting).empty());
    exchange.service.answer_oldest();
    const std::string out = exchange.read(State::kEnd);
    CHECK(
        holds(out,
              "}\n{\"status\":408,\"error\":\"invalid_request\",\"message\":\"cannot read line 2: "
              "it did not arrive within 10 s\"}\n"));
  }
  SUBCASE("comes to its end when the daemon stops") {
    batch.take(kBeat);
    exchange.read(State::kWaiting);
    batch.drain();
    CHECK(exchange.woken == 1);
    CHECK(holds(exchange.read(State::kEnd), "{\"status\":503,\"error\":\"unavailable\","));
  }
  SUBCASE("counts as running until its end, or until nobody wants it") {
    CHECK(*exchange.running == 1);
    batch.finish();
    exchange.read(State::kEnd);
    CHECK(*exchange.running == 0);
    auto other = std::make_shared<CommandBatch>(
        exchange.commands, exchange.memory, "uid 1, pid 2", [] { return false; }, exchange.running);
    CHECK(*exchange.running == 1);
    other->take(start_line("a"));
    other.reset();
    CHECK(*exchange.running == 0);
    exchange.service.answer_oldest();  // to nobody
  }
}

TEST_CASE("CommandBatch of a client refuses limits") {
  Exchange exchange(false);
  exchange.batch->take("{\"command\":\"start\",\"user\":\"u\",\"session\":\"s\",\"limit\":9}\n");
  CHECK(exchange.read(State::kWaiting)
            .starts_with("{\"status\":403,\"error\":\"permission_denied\","));
  CHECK(exchange.service.submitted == 0);
}

TEST_CASE("CommandBatch breaks off where others need the memory of what it owes") {
  Exchange exchange(true, 1'000'000);
  exchange.service.padding = 100'000;
  exchange.batch->take(start_line("a") + kBeat + kBeat + kBeat);
  CHECK(exchange.read(State::kWaiting).empty());
  CHECK(exchange.memory.total() > 300'000);
  std::vector<std::unique_ptr<ClientMemory::Share>> others;
  for (int i = 0; i < 4; ++i) {
    others.push_back(std::make_unique<ClientMemory::Share>(exchange.memory, [] { return ""; }));
    others.back()->set(200'000);
  }
  CHECK(exchange.memory.total() == 800'000);
  CHECK(exchange.woken == 1);
  exchange.service.answer_oldest();
  CHECK_FALSE(exchange.batch->take(kBeat));
  CHECK(exchange.service.submitted == 4);
  CHECK(exchange.read(State::kBroken).empty());
  CHECK(exchange.memory.total() == 800'000);
}

TEST_CASE("CommandBatch: what operators set") {
  const std::string lines =
      "{\"command\":\"limit\",\"user\":\"u\",\"limit\":5}\n"
      "{\"command\":\"plan\",\"plan\":\"gold\",\"limit\":5}\n"
      "{\"command\":\"plan\",\"plan\":\"none\",\"limit\":5}\n"
      "{\"command\":\"block\",\"user\":\"u\",\"for\":60}\n"
      "{\"command\":\"unblock\",\"user\":\"\"}\n";
  SUBCASE("is asked of the service, but for what no operator can set") {
    Exchange exchange;
    CHECK(exchange.batch->take(lines));
    exchange.batch->finish();
    CHECK(exchange.service.submitted == 3);
  }
  SUBCASE("is refused to clients, line by line") {
    Exchange exchange(false);
    exchange.batch->take(lines);
    exchange.batch->finish();
    const std::string answers = exchange.read(State::kEnd);
    CHECK(lines_in(answers) == 5);
    std::size_t refused = 0;
    for (std::size_t at = 0; (at = answers.find("\"status\":403", at)) != std::string::npos; ++at) {
      ++refused;
    }
    CHECK(refused == 5);
    CHECK(exchange.service.submitted == 0);
  }
}
