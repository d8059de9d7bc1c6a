#include "daemon/file_lock.hpp"

#include "support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

using namespace concur;
using concur::test::TempFolder;

TEST_CASE("FileLock") {
  const TempFolder folder;
  const std::string path = folder.file("x.db");
  SUBCASE("is held by one at a time, who is named") {
    auto first = FileLock::acquire(path);
    REQUIRE(first.has_value());
    const auto second = FileLock::acquire(path);
    REQUIRE(second.has_error());
    CHECK(second.error().kind == ErrorKind::kUnavailable);
    CHECK(second.error().message == "cannot use " + path +
                                        ": concurrencyd is already running on it with pid " +
                                        std::to_string(getpid()));
  }
  SUBCASE("is free again when its owner is gone") {
    { CHECK(FileLock::acquire(path).has_value()); }
    CHECK(FileLock::acquire(path).has_value());
  }
  SUBCASE("notices that its file is gone, or another") {
    const auto lock = FileLock::acquire(path);
    CHECK(lock->is_in_place());
    unlink((path + ".lock").c_str());
    CHECK_FALSE(lock->is_in_place());
    const auto other = FileLock::acquire(path);
    CHECK_FALSE(lock->is_in_place());
    CHECK(other->is_in_place());
  }
  SUBCASE("says where its file cannot be opened") {
    CHECK(FileLock::acquire(folder.file("no/such/x")).error().kind == ErrorKind::kForbidden);
  }
}
