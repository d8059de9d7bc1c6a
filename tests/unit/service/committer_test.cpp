#include "service/committer.hpp"

#include "support/file_bytes.hpp"
#include "support/full_disk.hpp"
#include "support/moments.hpp"
#include "support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::FakeClock;
using concur::test::FullDisk;
using concur::test::TempFolder;

namespace {

Id id(std::string_view text) { return *Id::parse("id", text); }

Store open_in_place(const std::string& path) {
  const auto files = *DatabaseFiles::claim(path);
  Store store = std::move(*Store::open(path, Durability::kFull, "boot"));
  store.keep_in_place(files, Durability::kFull, "boot");
  return store;
}

// Notes in which order what it is asked for happens.
struct Fixture final : Committer::Listener {
  explicit Fixture(const std::string& path)
      : committer(runner, clock, log, registry, open_in_place(path), path, *this) {}

  void before_answers(const Now& /*now*/) override { happened.emplace_back("before"); }
  void after_answers(const std::string* failure) override {
    happened.emplace_back(failure == nullptr ? "after" : "after failure");
  }

  void start(std::string_view user) {
    Decision decision = registry.apply(Start{id(user), id("s1")}, clock.now());
    committer.command_decided();
    REQUIRE(decision.waits_for > 0);
    committer.hold(decision.waits_for, std::move(decision.answer),
                   [this, name = std::string(user)](const Result<Answer>& answer) {
                     happened.push_back(name + (answer ? "" : " refused"));
                   });
  }
  void start_many(std::size_t count, const std::string& prefix = "u") {
    for (std::size_t i = 0; i < count; ++i) start(prefix + std::to_string(i));
  }
  void run_until_idle() {
    bool done = false;
    committer.finish([&done] { done = true; });
    while (!done) loop.run_one();
  }
  std::uint64_t commits() const { return committer.counts().durations.count(); }

  boost::asio::io_context loop;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> keeps_loop{
      loop.get_executor()};
  LoopRunner runner{loop};
  FakeClock clock;
  Logger log{LogLevel::kError, LogFormat::kText};
  Registry registry{Policy{}, 1};
  std::vector<std::string> happened;
  Committer committer;
};

using Happened = std::vector<std::string>;

}  // namespace

TEST_CASE("Committer") {
  const TempFolder folder;
  Fixture fixture(folder.file("sessions.db"));
  Committer& committer = fixture.committer;

  SUBCASE("what comes alone is committed in place, and answered after its effects show") {
    fixture.start("abc");
    CHECK(fixture.happened.empty());
    fixture.loop.run_one();
    CHECK(fixture.happened == Happened{"before", "abc", "after"});
    CHECK(fixture.commits() == 1);
    CHECK(committer.waiting_changes() == 0);
  }
  SUBCASE("files that are in place are left alone; those taken away are written anew, unasked") {
    committer.check_files();
    CHECK(fixture.commits() == 0);
    std::filesystem::remove(folder.file("sessions.db"));
    committer.check_files();
    fixture.run_until_idle();
    CHECK(std::filesystem::exists(folder.file("sessions.db")));
    CHECK(committer.files()->in_place());
    CHECK(committer.last_error().empty());
  }
  SUBCASE("another file in their place is an error until it is gone") {
    std::filesystem::remove(folder.file("sessions.db"));
    test::write_bytes(folder.file("sessions.db"), "another");
    fixture.start("abc");
    fixture.run_until_idle();
    CHECK(fixture.happened.back() == "after failure");
    CHECK(committer.last_error().ends_with("it was taken away, and another file has its place"));
    std::filesystem::remove(folder.file("sessions.db"));
    committer.probe();
    fixture.run_until_idle();
    CHECK(committer.last_error().empty());
  }
  SUBCASE("all of a turn is one commit") {
    fixture.start_many(200);
    CHECK(committer.waiting_changes() == 200);
    fixture.run_until_idle();
    CHECK(fixture.commits() == 1);
    CHECK(committer.counts().changes.sum() == 200);
    CHECK(fixture.happened.size() == 202);
    CHECK(fixture.happened.front() == "before");
    CHECK(fixture.happened.back() == "after");
  }
  SUBCASE("however many turns pass during a commit, two are enough") {
    fixture.start_many(2, "first");
    fixture.loop.poll();  // under way
    for (int turn = 0; turn < 10; ++turn) {
      fixture.start_many(2, "turn" + std::to_string(turn) + "-");
      committer.commit_now();
    }
    fixture.run_until_idle();
    CHECK(fixture.commits() <= 11);
    CHECK(committer.counts().changes.sum() == 22);
  }
  SUBCASE("an answer waits for the change it depends on, and no longer") {
    fixture.start_many(2);
    committer.commit_now();
    const Sequence first = fixture.registry.last_change();
    fixture.start_many(2, "v");
    Happened order;
    committer.hold(first, Unknown{},
                   [&order](const Result<Answer>&) { order.emplace_back("first"); });
    committer.when_stored([&order] { order.emplace_back("all"); });
    fixture.run_until_idle();
    CHECK(order == Happened{"first", "all"});
  }
  SUBCASE("what needs no commit is not kept waiting") {
    bool called = false;
    committer.when_stored([&called] { called = true; });
    CHECK(called);
    CHECK(fixture.commits() == 0);
  }
  SUBCASE("the backlog counts those who wait") {
    const auto fill = [&](std::size_t answers) {
      for (std::size_t i = 0; i < answers; ++i) {
        committer.hold(fixture.registry.last_change(), Unknown{}, [](const Result<Answer>&) {});
      }
    };
    fixture.start("abc");
    fill(Backlog::kMaxStarts - 2);
    CHECK(committer.backlog().admits(CommandKind::kStart));
    fill(1);
    CHECK_FALSE(committer.backlog().admits(CommandKind::kStart));
    fixture.run_until_idle();
    CHECK(committer.backlog().admits(CommandKind::kStart));
  }
}

TEST_CASE("Committer rolls back what could not be committed,") {
  const TempFolder folder;
  Fixture fixture(folder.file("sessions.db"));
  Committer& committer = fixture.committer;
  std::optional<FullDisk> full;
  full.emplace();

  const auto check_rolled_back = [&] {
    CHECK(fixture.registry.active_sessions() == 0);
    CHECK(committer.waiting_changes() == 0);
    CHECK(committer.backlog().admits(CommandKind::kStart));
    CHECK(committer.last_error().starts_with("cannot commit to "));
    CHECK(committer.counts().failed == fixture.commits());
  };

  SUBCASE("in place") {
    fixture.start("abc");
    fixture.loop.run_one();
    CHECK(fixture.happened == Happened{"before", "abc refused", "after failure"});
    check_rolled_back();
  }
  SUBCASE("on the thread, with all that was handed over or gathered behind it") {
    fixture.start_many(2);
    committer.commit_now();
    fixture.start_many(2, "v");
    committer.commit_now();
    fixture.start_many(2, "w");
    bool stored = false;
    committer.when_stored([&stored] { stored = true; });
    while (fixture.happened.empty()) fixture.loop.run_one();
    CHECK(fixture.happened == Happened{"before", "u0 refused", "u1 refused", "v0 refused",
                                       "v1 refused", "w0 refused", "w1 refused", "after failure"});
    CHECK(stored);
    check_rolled_back();
  }
  SUBCASE("and tries again with what comes next, or with a probe") {
    fixture.start("abc");
    fixture.loop.run_one();
    committer.probe();
    fixture.loop.run_one();
    check_rolled_back();
    CHECK(fixture.commits() == 2);
    full.reset();
    SUBCASE("a probe") {
      committer.probe();
      fixture.run_until_idle();
      CHECK(committer.last_error().empty());
      committer.probe();
      CHECK(fixture.commits() == 3);
    }
    SUBCASE("a start") {
      fixture.start("abc");
      fixture.run_until_idle();
      CHECK(committer.last_error().empty());
      CHECK(fixture.registry.active_sessions() == 1);
    }
  }
}
