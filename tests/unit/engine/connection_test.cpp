#include "engine/connection.hpp"

#include "support/engine_fixture.hpp"

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

using namespace concur;
using namespace concur::test;
using namespace std::chrono_literals;
using engine::Connection;

namespace {

struct Fixture : EngineFixture {
  explicit Fixture(Connection::Scripts scripts = Connection::Scripts::kLoaded) {
    connection = std::make_unique<Connection>(
        surroundings, kFirst, scripts, [this] { events.emplace_back("ready"); },
        [this] { events.emplace_back("lost"); });
  }

  void check_time() {
    turn.run([this] { connection->check_time(); });
    run();
  }
  void pass(Millis time) {
    clock.tick(time);
    check_time();
  }
  void send(std::string_view word) {
    connection->send(std::array{word}, [this](Connection::Answer&& answer) {
      events.push_back(!answer ? "no answer" : answer->text);
    });
  }
  const FakeServers::End& end() const { return *servers.ends.back(); }

  std::vector<std::string> events;
  std::unique_ptr<Connection> connection;
};

using Events = std::vector<std::string>;

}  // namespace

TEST_CASE("Connection") {
  Fixture f;

  SUBCASE("connects when it is time to, and loads the scripts") {
    CHECK(f.servers.dials.empty());
    f.check_time();
    CHECK(f.connection->is_ready());
    CHECK(f.events == Events{"ready"});
    CHECK(f.end().writes == 1);
    for (const engine::Script script : engine::kAllScripts) {
      CHECK(f.connection->name_of(script) == FakeServers::script_name(script));
    }
  }
  SUBCASE("without scripts and password is ready at once") {
    Fixture bare(Connection::Scripts::kNone);
    bare.check_time();
    CHECK(bare.connection->is_ready());
    CHECK(bare.end().writes == 0);
  }
  SUBCASE("logs in, as the default user where none is named") {
    f.servers.password = "secret";
    f.surroundings.login.password = "secret";
    f.check_time();
    CHECK(f.connection->is_ready());
    f.surroundings.login = {"edge", "wrong"};
    f.connection->drop("test");
    f.pass(1s);
    CHECK_FALSE(f.connection->is_ready());
    CHECK(f.connection->failure() == "WRONGPASS invalid username");
    f.surroundings.login.password = "secret";
    f.pass(1s);
    CHECK(f.connection->is_ready());
    CHECK(f.connection->failure().empty());
  }
  SUBCASE("hands answers over in order, and writes what was sent in one go") {
    f.check_time();
    f.turn.run([&] {
      f.send("a");
      f.send("b");
      f.connection->flush();
    });
    f.run();
    CHECK(f.end().writes == 2);
    CHECK(f.servers.held_words() == Words{"a", "b"});
    f.servers.answer(bulk("to b"), 1);
    f.run();
    CHECK(f.events == Events{"ready"});
    f.servers.answer(bulk("to a"));
    f.run();
    CHECK(f.events == Events{"ready", "to a", "to b"});
    CHECK(f.connection->unanswered() == 0);
  }
  SUBCASE("takes answers that are split at every byte") {
    f.servers.piece = 1;
    f.check_time();
    CHECK(f.connection->is_ready());
    f.send("a");
    f.connection->flush();
    f.run();
    f.servers.answer(bulk("a long answer"));
    f.run();
    CHECK(f.events == Events{"ready", "a long answer"});
  }
  SUBCASE("writes what was sent meanwhile once the last write is out") {
    f.check_time();
    f.send("a");
    f.connection->flush();
    f.send("b");
    f.connection->flush();
    f.send("c");
    f.connection->flush();
    CHECK(f.end().writes == 2);
    f.run();
    CHECK(f.end().writes == 3);
    CHECK(f.servers.held_words() == Words{"a", "b", "c"});
    CHECK(f.connection->unsent() == 0);
  }
  SUBCASE("that is lost says so of each command, behind that of itself, and connects anew") {
    f.check_time();
    f.send("a");
    f.send("b");
    f.connection->flush();
    f.run();
    f.servers.answer(bulk("to a"));
    f.servers.close();
    f.run();
    CHECK(f.events == Events{"ready", "to a", "no answer", "lost"});
    CHECK(f.connection->failure() == "it closed the connection");
    CHECK(f.connection->losses() == 1);
    f.check_time();
    CHECK_FALSE(f.connection->is_ready());
    f.pass(50ms);
    CHECK(f.connection->is_ready());
  }
  SUBCASE("ends with an answer that was cut") {
    const std::string whole = array({bulk("one"), integer(2)});
    for (std::size_t size = 0; size < whole.size(); ++size) {
      CAPTURE(size);
      Fixture cut;
      cut.check_time();
      cut.send("a");
      cut.connection->flush();
      cut.run();
      cut.servers.send(cut.servers.ends.back(), whole.substr(0, size));
      cut.servers.close();
      cut.run();
      CHECK(cut.events == Events{"ready", "no answer", "lost"});
    }
  }
  SUBCASE("rests ever longer while it cannot be made") {
    f.servers.doors[kFirst] = FakeServers::Door::kRefuses;
    f.check_time();
    CHECK(f.connection->failure() == "Connection refused");
    std::size_t dials = 1;
    for (const Millis rest : {50ms, 100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
      CAPTURE(rest.count());
      f.pass(rest - 1ms);
      CHECK(f.servers.dials[kFirst] == dials);
      f.pass(1ms);
      CHECK(f.servers.dials[kFirst] == ++dials);
    }
    f.servers.doors.clear();
    f.pass(1s);
    CHECK(f.connection->is_ready());
  }
  SUBCASE("rests as shortly as at first once a command was answered") {
    f.servers.doors[kFirst] = FakeServers::Door::kRefuses;
    for (int i = 0; i < 10; ++i) f.pass(1s);
    f.servers.doors.clear();
    f.pass(1s);
    REQUIRE(f.connection->is_ready());
    f.send("a");
    f.connection->flush();
    f.run();
    f.servers.answer(bulk("x"));
    f.run();
    f.servers.close();
    f.run();
    f.pass(50ms);
    CHECK(f.connection->is_ready());
  }
  SUBCASE("gives up what takes too long: to accept, and to answer") {
    f.servers.doors[kFirst] = FakeServers::Door::kSilent;
    f.check_time();
    f.pass(999ms);
    CHECK(f.events.empty());
    f.pass(1ms);
    CHECK(f.connection->failure() == "it did not accept the connection in time");
    f.servers.doors.clear();
    f.servers.greeting = "+";  // and nothing more
    f.pass(50ms);
    f.pass(1000ms);
    CHECK(f.connection->failure() == "it did not answer in time");
    CHECK(f.events == Events{"lost", "lost"});
  }
  SUBCASE("refuses a server that greets wrongly") {
    for (const std::string& greeting : {integer(1), bulk("short"), nil(), array({}), status("OK"),
                                        error("NOPERM no scripts"), std::string("x\r\n")}) {
      CAPTURE(greeting);
      Fixture wrong;
      wrong.servers.greeting = greeting;
      wrong.check_time();
      CHECK_FALSE(wrong.connection->is_ready());
      CHECK(wrong.events == Events{"lost"});
      CHECK_FALSE(wrong.connection->failure().empty());
    }
  }
  SUBCASE("drops a server that answers what was not asked") {
    f.check_time();
    f.servers.send(f.servers.ends.back(), integer(1));
    f.run();
    CHECK(f.events == Events{"ready", "lost"});
    CHECK(f.connection->failure() == "it answers what was not asked");
  }
  SUBCASE("drops a server that speaks something else") {
    f.check_time();
    f.send("a");
    f.connection->flush();
    f.run();
    f.servers.answer("HTTP/1.1 400 Bad Request\r\n\r\n");
    f.run();
    CHECK(f.events == Events{"ready", "no answer", "lost"});
  }
  SUBCASE("may be dropped by what it calls back, and calls back no more then") {
    f.check_time();
    f.connection->send(std::array<std::string_view, 1>{"a"}, [&f](Connection::Answer&& answer) {
      f.events.push_back(answer->text);
      f.connection->drop("test");
    });
    f.send("b");
    f.connection->flush();
    f.run();
    f.servers.answer(bulk("to b"), 1);
    f.servers.answer(bulk("to a"));
    f.run();
    CHECK(f.events == Events{"ready", "to a", "no answer", "lost"});
  }
  SUBCASE("calls back nobody once it is gone") {
    f.check_time();
    f.send("a");
    f.connection->flush();
    f.connection.reset();
    f.run();
    CHECK(f.events == Events{"ready"});
  }
}
