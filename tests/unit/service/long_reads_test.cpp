#include "service/long_reads.hpp"

#include "store/store.hpp"
#include "support/temp_folder.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

using namespace concur;
using concur::test::TempFolder;

TEST_CASE("read_report and copy_database") {
  const TempFolder folder;
  const std::string path = folder.file("sessions.db");
  REQUIRE(Store::open(path, Durability::kFull, "boot").has_value());
  const std::string none = folder.file("none.db");
  LongWork work;
  Interruption interruption;

  SUBCASE("read the record") { CHECK(read_report(path, {}, 0, work, interruption).has_value()); }
  SUBCASE("say which record cannot be read") {
    const auto report = read_report(none, {}, 0, work, interruption);
    REQUIRE(report.has_error());
    CHECK(report.error().message.starts_with("cannot read the record in " + none + ": "));
    CHECK_FALSE(std::filesystem::exists(none));
  }
  SUBCASE("copy, again and again") {
    for (int i = 0; i < 2; ++i) {
      const auto copied = copy_database(nullptr, path, work, interruption);
      REQUIRE(copied.has_value());
      CHECK(lseek(copied->get(), 0, SEEK_END) > 0);
    }
  }
  SUBCASE("say which database cannot be copied") {
    const auto copied = copy_database(nullptr, none, work, interruption);
    REQUIRE(copied.has_error());
    CHECK(copied.error().message.starts_with("cannot copy " + none + ": "));
  }
  SUBCASE("do not begin any more once they are interrupted") {
    interruption.stop();
    CHECK(read_report(path, {}, 0, work, interruption).has_error());
    CHECK(copy_database(nullptr, path, work, interruption).has_error());
  }
}
