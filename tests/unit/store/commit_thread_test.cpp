#include "store/commit_thread.hpp"

#include "store/report_reader.hpp"
#include "support/full_disk.hpp"
#include "support/moments.hpp"
#include "support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <future>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::FakeClock;
using concur::test::FullDisk;
using concur::test::TempFolder;

namespace {

Store open(const std::string& path) {
  return std::move(*Store::open(path, Durability::kFull, "boot"));
}

// Waits for the outcome of each batch.
struct Fixture {
  explicit Fixture(const std::string& path)
      : thread(open(path),
               [this](CommitOutcome outcome) { outcome_.set_value(std::move(outcome)); }) {}

  CommitOutcome commit(Batch batch) {
    outcome_ = {};
    auto outcome = outcome_.get_future();
    thread.submit(std::move(batch));
    return outcome.get();
  }

  std::promise<CommitOutcome> outcome_;
  CommitThread thread;
};

Batch start(std::int64_t number, std::uint64_t term = 1) {
  const FakeClock clock;
  const Instant now = clock.now().instant;
  Batch batch;
  batch.changes.push_back(
      Insert{{number, "abc", std::to_string(number), now, now, now + 90s, 90s, nullptr}});
  batch.upto = static_cast<Sequence>(number);
  batch.term = term;
  return batch;
}

std::size_t stored(const std::string& path) {
  auto store = Store::open(path, Durability::kFull, "boot");
  REQUIRE(store.has_value());
  return static_cast<std::size_t>(
      store->load(FakeClock().now(), [](const StoredRow&) { return true; })->rows);
}

}  // namespace

TEST_CASE("CommitThread") {
  const TempFolder folder;
  const std::string path = folder.file("sessions.db");
  SUBCASE("says of each batch that it is durable, in order") {
    Fixture fixture(path);
    for (int i = 1; i <= 20; ++i) {
      const CommitOutcome outcome = fixture.commit(start(i));
      CHECK(outcome.result.has_value());
      CHECK(outcome.upto == static_cast<Sequence>(i));
      CHECK(outcome.changes == 1);
    }
    CHECK(stored(path) == 20);
  }
  SUBCASE("says of a batch that failed why, and goes on with the next term") {
    Fixture fixture(path);
    CHECK(fixture.commit(start(1)).result.has_value());
    {
      const FullDisk full;
      const CommitOutcome failed = fixture.commit(start(2));
      REQUIRE(failed.result.has_error());
      CHECK_FALSE(failed.result.error().message.empty());
      CHECK(fixture.commit(start(3, 2)).result.has_error());
    }
    CHECK(fixture.commit(start(4, 3)).result.has_value());
    CHECK(stored(path) == 2);
  }
  SUBCASE("drops what may build on a batch that failed") {
    Fixture fixture(path);
    {
      const FullDisk full;
      CHECK(fixture.commit(start(1)).result.has_error());
    }
    fixture.thread.submit(start(2));
    fixture.thread.submit(start(3));
    CHECK(fixture.commit(start(4, 2)).changes == 1);
    CHECK(stored(path) == 1);
  }
  SUBCASE("commits together what is handed over while another commit is under way") {
    std::promise<void> begun;
    std::promise<void> go_on;
    std::vector<CommitOutcome> outcomes;
    {
      CommitThread thread(open(path), [&](CommitOutcome outcome) {
        outcomes.push_back(std::move(outcome));
        if (outcomes.size() > 1) return;
        begun.set_value();
        go_on.get_future().wait();
      });
      thread.submit(start(1));
      begun.get_future().wait();
      thread.submit(start(2));
      thread.submit(start(3));
      go_on.set_value();
    }
    REQUIRE(outcomes.size() == 2);
    CHECK(outcomes[1].changes == 2);
    CHECK(outcomes[1].upto == 3);
    CHECK(stored(path) == 3);
  }
  SUBCASE("commits on the caller's thread where it is asked to, with the same outcome") {
    CommitThread thread(open(path), [](const CommitOutcome&) { FAIL("nobody was to be called"); });
    const CommitOutcome outcome = thread.commit_inline(start(7));
    CHECK(outcome.result.has_value());
    CHECK(outcome.upto == 7);
    const FullDisk full;
    CHECK(thread.commit_inline(start(8)).result.has_error());
  }
  SUBCASE("removes what is recorded of hours before the one it is given, also without a commit") {
    Fixture fixture(path);
    Batch recorded;
    recorded.changes.push_back(AddUsage{"abc", Usage{.hour = 100, .starts = 1}});
    recorded.changes.push_back(AddUsage{"abc", Usage{.hour = 200, .starts = 1}});
    CHECK(fixture.commit(std::move(recorded)).result.has_value());
    const auto hours = [&path] {
      ReportQuery query;
      query.user = "abc";
      return ReportReader::open(path)->read(query, 0)->hours.size();
    };
    CHECK(hours() == 2);
    fixture.thread.trim_before(150);
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (hours() > 1 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    CHECK(hours() == 1);
  }
  SUBCASE("commits the batch at hand before it ends") {
    std::promise<void> outcome;
    {
      CommitThread thread(open(path), [&](const CommitOutcome&) { outcome.set_value(); });
      thread.submit(start(1));
    }
    CHECK(outcome.get_future().wait_for(0s) == std::future_status::ready);
    CHECK(stored(path) == 1);
  }
}
