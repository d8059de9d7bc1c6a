#include "base/turn.hpp"

#include "base/loop_runner.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <future>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace concur;
using Stage = Turn::Stage;

namespace {

using Record = std::vector<std::string>;

// Records that it ran, and does what it is given to do.
struct Recorder final : Turn::Step {
  Recorder(std::string its_name, Record& its_record)
      : name(std::move(its_name)), record(its_record) {}
  void run() override {
    record.push_back(name);
    if (then) then();
  }

  std::string name;
  Record& record;
  std::function<void()> then;
};

}  // namespace

TEST_CASE("Turn") {
  boost::asio::io_context loop;
  Turn turn(loop);
  Record record;
  Recorder decide("decide", record);
  Recorder publish("publish", record);
  Recorder send("send", record);
  Recorder commit("commit", record);
  Recorder other("other", record);

  SUBCASE("runs the stages in order, whoever asks first, and each step once") {
    turn.run([&] {
      turn.at(Stage::kCommit, commit);
      turn.at(Stage::kSend, send);
      turn.at(Stage::kDecide, decide);
      turn.at(Stage::kPublish, publish);
      turn.at(Stage::kSend, send);
      record.emplace_back("read");
    });
    CHECK(record == Record{"read", "decide", "publish", "send", "commit"});
    CHECK(loop.poll() == 0);
  }
  SUBCASE("runs all of a stage before the next one begins") {
    decide.then = [&] {
      turn.at(Stage::kSend, send);
      turn.at(Stage::kCommit, commit);
    };
    turn.run([&] {
      turn.at(Stage::kDecide, decide);
      turn.at(Stage::kDecide, other);
    });
    CHECK(record == Record{"decide", "other", "send", "commit"});
  }
  SUBCASE("runs in the next turn what is asked for when its stage has begun") {
    send.then = [&] {
      if (record.size() > 2) return;
      turn.at(Stage::kSend, send);
      turn.at(Stage::kDecide, decide);
    };
    turn.run([&] {
      turn.at(Stage::kSend, send);
      turn.at(Stage::kSend, other);
    });
    CHECK(record == Record{"send", "other"});
    CHECK(loop.poll() == 1);
    CHECK(record == Record{"send", "other", "decide", "send"});
  }
  SUBCASE("outside of a turn has one posted, for all who ask") {
    turn.at(Stage::kSend, send);
    turn.at(Stage::kDecide, decide);
    turn.at(Stage::kCommit, commit);
    CHECK(record.empty());
    CHECK(loop.poll() == 1);
    CHECK(record == Record{"decide", "send", "commit"});
  }
  SUBCASE("a turn that comes before the posted one runs all that waits") {
    turn.at(Stage::kSend, send);
    turn.run([] {});
    CHECK(record == Record{"send"});
    CHECK(loop.poll() == 1);
    CHECK(record.size() == 1);
  }
  SUBCASE("forgets a step that is destroyed or cancelled, also by one that runs before it") {
    auto gone = std::make_unique<Recorder>("gone", record);
    decide.then = [&] {
      gone.reset();
      other.cancel();
    };
    turn.run([&] {
      turn.at(Stage::kDecide, decide);
      turn.at(Stage::kDecide, *gone);
      turn.at(Stage::kDecide, other);
      turn.at(Stage::kSend, send);
    });
    CHECK(record == Record{"decide", "send"});
  }
  SUBCASE("a conclusion publishes and sends at once; the rest is for the next turn") {
    turn.conclude([&] {
      turn.at(Stage::kSend, send);
      turn.at(Stage::kCommit, commit);
      turn.at(Stage::kDecide, decide);
      turn.at(Stage::kPublish, publish);
      record.emplace_back("committed");
    });
    CHECK(record == Record{"committed", "publish", "send"});
    CHECK(loop.poll() == 1);
    CHECK(record == Record{"committed", "publish", "send", "decide", "commit"});
  }
  SUBCASE("a conclusion that asks for a commit alone has a turn posted for it") {
    turn.conclude([&] { turn.at(Stage::kCommit, commit); });
    CHECK(record.empty());
    loop.poll();
    CHECK(record == Record{"commit"});
  }
  SUBCASE("of two commits, the second waits for the next turn, and may be asked for anew") {
    turn.run([&] {
      turn.at(Stage::kCommit, commit);
      turn.at(Stage::kCommit, other);
    });
    CHECK(record == Record{"commit"});
    loop.poll();
    CHECK(record == Record{"commit", "other"});
  }
}

// What a commit leads to is sent in its own turn where the disk is quick, and turns go on on
// another thread while it is not.
TEST_CASE("Turn whose commit waits in place") {
  boost::asio::io_context loop;
  LoopRunner runner(loop);
  Turn turn(loop);
  Record record;
  Recorder send("send", record);
  Recorder commit("commit", record);

  SUBCASE("concludes behind the commit, in the same handler") {
    commit.then = [&] {
      runner.wait_for([] { return 0; },
                      [&](int) { turn.conclude([&] { turn.at(Stage::kSend, send); }); });
    };
    boost::asio::post(loop, [&] { turn.run([&] { turn.at(Stage::kCommit, commit); }); });
    CHECK(loop.poll() == 1);
    CHECK(record == Record{"commit", "send"});
  }
  SUBCASE("takes further turns on another thread while the commit hangs") {
    Recorder next("next", record);
    std::promise<void> another_ran;
    auto signal = another_ran.get_future();
    std::thread::id other_thread;
    next.then = [&] {
      other_thread = std::this_thread::get_id();
      turn.at(Stage::kSend, send);  // its stage is still to come
      another_ran.set_value();
    };
    commit.then = [&] {
      boost::asio::post(loop, [&] { turn.run([&] { turn.at(Stage::kDecide, next); }); });
      runner.wait_for(
          [signal = std::move(signal)]() mutable {
            signal.wait();
            return 0;
          },
          [&](int) { turn.conclude([&] { record.emplace_back("concluded"); }); });
    };
    boost::asio::post(loop, [&] { turn.run([&] { turn.at(Stage::kCommit, commit); }); });
    runner.run();
    CHECK(record == Record{"commit", "next", "send", "concluded"});
    CHECK(other_thread != std::this_thread::get_id());
  }
}
