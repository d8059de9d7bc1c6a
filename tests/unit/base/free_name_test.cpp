#include "base/free_name.hpp"

#include "support/file_bytes.hpp"
#include "support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <filesystem>

using namespace concur;
using concur::test::TempFolder;

TEST_CASE("rename_to_free_name") {
  const TempFolder folder;
  const std::string from = folder.file("from");
  const std::string to = folder.file("to");
  test::write_bytes(from, "ours");
  SUBCASE("gives a file another name") {
    CHECK(rename_to_free_name(from, to) == 0);
    CHECK(test::bytes_of(to) == "ours");
    CHECK_FALSE(std::filesystem::exists(from));
  }
  SUBCASE("takes no name from another file") {
    test::write_bytes(to, "another");
    CHECK(rename_to_free_name(from, to) == EEXIST);
    CHECK(test::bytes_of(to) == "another");
    CHECK(test::bytes_of(from) == "ours");
  }
  SUBCASE("says why it cannot") {
    CHECK(rename_to_free_name(folder.file("none"), to) == ENOENT);
    CHECK(rename_to_free_name(from, folder.file("no/such/folder")) == ENOENT);
  }
}
