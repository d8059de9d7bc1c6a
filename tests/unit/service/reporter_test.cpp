#include "service/reporter.hpp"

#include "store/store.hpp"
#include "support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <future>
#include <string>

using namespace concur;
using concur::test::TempFolder;

TEST_CASE("Reporter") {
  const TempFolder folder;
  const std::string path = folder.file("sessions.db");
  REQUIRE(Store::open(path, Durability::kFull, "boot").has_value());

  SUBCASE("reads the record") {
    std::promise<Result<Report>> outcome;
    Reporter reporter(path);
    REQUIRE(reporter.submit({}, 0, [&](Result<Report> report) { outcome.set_value(report); }));
    CHECK(outcome.get_future().get().has_value());
  }
  SUBCASE("tells of a record that cannot be read, and where it is") {
    const std::string none = folder.file("none.db");
    std::promise<Result<Report>> outcome;
    Reporter reporter(none);
    REQUIRE(reporter.submit({}, 0, [&](Result<Report> report) { outcome.set_value(report); }));
    const Result<Report> report = outcome.get_future().get();
    REQUIRE(report.has_error());
    CHECK(report.error().message.starts_with("cannot read the record in " + none + ": "));
    CHECK_FALSE(std::filesystem::exists(none));
  }
  SUBCASE("takes no more than may wait") {
    std::promise<void> begun;
    std::promise<void> go_on;
    Reporter reporter(path);
    REQUIRE(reporter.submit({}, 0, [&](const Result<Report>&) {
      begun.set_value();
      go_on.get_future().wait();
    }));
    begun.get_future().wait();
    const auto ignore = [](const Result<Report>&) {};
    for (std::size_t i = 0; i < Reporter::kMostWaiting; ++i) {
      CHECK(reporter.submit({}, 0, ignore));
    }
    CHECK_FALSE(reporter.submit({}, 0, ignore));
    go_on.set_value();
  }
}
