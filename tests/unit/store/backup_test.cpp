#include "store/backup.hpp"

#include "store/store.hpp"
#include "support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

#include <filesystem>
#include <string_view>

using namespace concur;
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
