#include "engine/login.hpp"

#include "support/temp_folder.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <fstream>
#include <string>

using namespace concur;
using namespace std::chrono_literals;

TEST_CASE("read_password") {
  const test::TempFolder folder;
  const std::string path = folder.file("password");
  const auto read = [&path](const std::string& text, mode_t mode = 0600) {
    std::ofstream(path, std::ios::binary) << text;
    chmod(path.c_str(), mode);
    return engine::read_password(path, 0ms);
  };

  SUBCASE("takes the only line, however it ends") {
    CHECK(read("secret").value() == "secret");
    CHECK(read("secret\n").value() == "secret");
    CHECK(read("a secret: \xC3\xBC \r\n").value() == "a secret: \xC3\xBC ");
  }
  SUBCASE("refuses what is none, and does not repeat it") {
    for (const char* text : {"", "\n", "secret\nmore", "secret\n\n", "sec\tret"}) {
      CAPTURE(text);
      const auto password = read(text);
      REQUIRE(password.has_error());
      CHECK(password.error().message.starts_with("cannot read the fleet's password from /"));
      CHECK(password.error().message.find("secret") == std::string::npos);
    }
    CHECK(read(std::string(5000, 'x')).has_error());
  }
  SUBCASE("refuses what others could read or write, and what is not there") {
    CHECK(read("secret", 0644).has_error());
    CHECK(read("secret", 0660).has_error());
    CHECK(read("secret", 0440).has_value());
    CHECK(engine::read_password(folder.file("none"), 0ms).has_error());
    CHECK(engine::read_password(folder.file("."), 0ms).has_error());
  }
}
