#include "store/journal.hpp"

#include "support/full_disk.hpp"
#include "support/moments.hpp"
#include "support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <future>
#include <memory>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::FakeClock;
using concur::test::FullDisk;
using concur::test::TempFolder;

namespace {

// Waits for the journal's word on each batch.
struct Desk {
  explicit Desk(const std::string& path)
      : journal(std::move(*Store::open(path, Durability::kFull, "boot")),
                [this](Result<void> outcome) { said.set_value(std::move(outcome)); }) {}

  Result<void> commit(std::vector<Change> changes) {
    said = {};
    auto word = said.get_future();
    journal.submit({std::move(changes), Millis(0)});
    return word.get();
  }

  std::promise<Result<void>> said;
  Journal journal;
};

std::vector<Change> start(std::int64_t number) {
  const FakeClock clock;
  const Instant now = clock.now().instant;
  std::vector<Change> changes;
  changes.push_back(
      Insert{{number, "abc", std::to_string(number), now, now, now + 90s, 90s, nullptr}});
  return changes;
}

std::size_t stored(const std::string& path) {
  auto store = Store::open(path, Durability::kFull, "boot");
  REQUIRE(store.has_value());
  return static_cast<std::size_t>(
      store->load(FakeClock().now(), [](const StoredRow&) { return true; })->rows);
}

}  // namespace

TEST_CASE("Journal") {
  const TempFolder folder;
  const std::string path = folder.file("sessions.db");
  SUBCASE("says of each batch that it is durable, in order") {
    Desk desk(path);
    for (int i = 1; i <= 20; ++i) CHECK(desk.commit(start(i)).has_value());
    CHECK(stored(path) == 20);
  }
  SUBCASE("says of a batch that failed why, and goes on with the next") {
    Desk desk(path);
    CHECK(desk.commit(start(1)).has_value());
    {
      const FullDisk full;
      const auto failed = desk.commit(start(2));
      REQUIRE(failed.has_error());
      CHECK_FALSE(failed.error().message.empty());
      desk.journal.recover();
      CHECK(desk.commit(start(3)).has_error());
    }
    desk.journal.recover();
    CHECK(desk.commit(start(4)).has_value());
    CHECK(stored(path) == 2);
  }
  SUBCASE("drops what builds on a batch that failed, until the caller has taken that back") {
    Desk desk(path);
    {
      const FullDisk full;
      CHECK(desk.commit(start(1)).has_error());
    }
    CHECK_FALSE(desk.journal.submit({start(2), Millis(0)}));
    CHECK_FALSE(desk.journal.submit({start(3), Millis(0)}));
    desk.journal.recover();
    CHECK(desk.commit(start(4)).has_value());
    CHECK(stored(path) == 1);
  }
  SUBCASE("makes one batch of what is handed over while another is under way") {
    std::promise<void> begun;
    std::promise<void> go_on;
    std::vector<Result<void>> said;
    {
      Journal journal(std::move(*Store::open(path, Durability::kFull, "boot")),
                      [&](const Result<void>& outcome) {
                        said.push_back(outcome);
                        if (said.size() > 1) return;
                        begun.set_value();
                        go_on.get_future().wait();
                      });
      CHECK_FALSE(journal.submit({start(1), Millis(0)}));
      begun.get_future().wait();
      CHECK_FALSE(journal.submit({start(2), Millis(0)}));
      CHECK(journal.submit({start(3), Millis(0)}));
      go_on.set_value();
    }
    CHECK(said.size() == 2);
    CHECK(stored(path) == 3);
  }
  SUBCASE("finishes the batch at hand when it is told to stop") {
    std::promise<void> said;
    {
      Journal journal(std::move(*Store::open(path, Durability::kFull, "boot")),
                      [&](const Result<void>&) { said.set_value(); });
      journal.submit({start(1), Millis(0)});
    }
    CHECK(said.get_future().wait_for(0s) == std::future_status::ready);
    CHECK(stored(path) == 1);
  }
}
