#include "store/backup.hpp"

#include "store/store.hpp"
#include "support/stores.hpp"
#include "support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

using namespace concur;
using concur::test::run_sql;
using concur::test::TempFolder;

TEST_CASE("DatabaseCopy") {
  const TempFolder folder;
  const std::string path = folder.file("x.db");
  auto store = Store::open(path, Durability::kFull, "boot");
  REQUIRE(store.has_value());
  auto copy = DatabaseCopy::open(path);
  REQUIRE(copy.has_value());

  SUBCASE("is a database that has no name any more") {
    const auto made = copy->make();
    REQUIRE(made.has_value());
    CHECK_FALSE(std::filesystem::exists(path + ".copy"));
    char head[16] = {};
    CHECK(read(made->get(), head, sizeof head) == 16);
    CHECK(std::string_view(head) == "SQLite format 3");
  }
  SUBCASE("says how much of it is made") {
    run_sql(path,
            "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 60000) "
            "INSERT INTO plans SELECT printf('%0200d', i), 1, NULL FROM n");
    std::vector<WorkState> states;
    const auto made = copy->make([&states](const WorkState& work) { states.push_back(work); });
    REQUIRE(made.has_value());
    REQUIRE(states.size() > 2);
    const auto size = static_cast<std::uint64_t>(lseek(made->get(), 0, SEEK_END));
    CHECK(states.back().total > size / 2);
    CHECK(states.back().total < size * 2);
    CHECK(states.back().done > size / 4);
    CHECK(states.back().done <= size);
    CHECK(states.back().unit.empty());
    CHECK(std::ranges::is_sorted(states, {}, &WorkState::done));
  }
  SUBCASE("can be made again and again") {
    CHECK(copy->make().has_value());
    CHECK(copy->make().has_value());
  }
  SUBCASE("is not one of a database that has gone away, and makes none in its place") {
    std::filesystem::remove(path);
    CHECK(DatabaseCopy::open(path).has_error());
    CHECK_FALSE(std::filesystem::exists(path));
  }
  SUBCASE("cannot be made where something is in the way, and says so") {
    std::filesystem::create_directory(path + ".copy");
    CHECK(copy->make().has_error());
  }
}
