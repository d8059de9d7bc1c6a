#include "service/copier.hpp"

#include "store/store.hpp"
#include "support/temp_folder.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <future>
#include <string>
#include <utility>

using namespace concur;
using concur::test::TempFolder;

TEST_CASE("Copier") {
  const TempFolder folder;
  const std::string path = folder.file("sessions.db");
  REQUIRE(Store::open(path, Durability::kFull, "boot").has_value());

  const auto copy = [](Copier& copier) {
    std::promise<Result<Fd>> outcome;
    REQUIRE(copier.submit([&](Result<Fd> copied) { outcome.set_value(std::move(copied)); }));
    return outcome.get_future().get();
  };

  SUBCASE("copies, again and again") {
    Copier copier(path);
    for (int i = 0; i < 2; ++i) {
      const Result<Fd> copied = copy(copier);
      REQUIRE(copied.has_value());
      CHECK(lseek(copied->get(), 0, SEEK_END) > 0);
    }
  }
  SUBCASE("tells of a database that cannot be copied, and where it is") {
    const std::string none = folder.file("none.db");
    Copier copier(none);
    const Result<Fd> copied = copy(copier);
    REQUIRE(copied.has_error());
    CHECK(copied.error().message.starts_with("cannot copy " + none + ": "));
  }
}
