#include "base/text_file.hpp"

#include "support/temp_folder.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <string>
#include <thread>

using namespace concur;
using namespace std::chrono_literals;

TEST_CASE("read_text_file") {
  const test::TempFolder folder;
  const std::string path = folder.file("f");
  const auto write = [&path](const std::string& text) { std::ofstream(path) << text; };

  SUBCASE("reads a file whole") {
    write("a\nb");
    const auto file = read_text_file(path, 3, 0ms);
    REQUIRE(file.has_value());
    CHECK(file->text == "a\nb");
    CHECK(file->is_regular);
  }
  SUBCASE("says why not") {
    CHECK(read_text_file(path, 3, 0ms).error().kind == ErrorKind::kAbsent);
    write("1234");
    CHECK(read_text_file(path, 3, 0ms).error().message == "it has more than 0 KiB");
    const auto faulty = [](const struct stat&) { return std::string("it is odd"); };
    CHECK(read_text_file(path, 4, 0ms, faulty).error().message == "it is odd");
    CHECK(read_text_file(folder.file("."), 3, 0ms).error().message == "Is a directory");
  }
  SUBCASE("waits for what comes through a FIFO, to its end") {
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    std::thread writer([&path] {
      std::ofstream fifo(path);
      fifo << "a" << std::flush;
      std::this_thread::sleep_for(20ms);
      fifo << "b";
    });
    const auto file = read_text_file(path, 3, 10s);
    writer.join();
    REQUIRE(file.has_value());
    CHECK(file->text == "ab");
    CHECK_FALSE(file->is_regular);
  }
  SUBCASE("but no longer than that") {
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    CHECK(read_text_file(path, 3, 10ms).error().message ==
          "it is no regular file, and its end did not come");
    const int open_end = open(path.c_str(), O_RDWR | O_CLOEXEC);
    CHECK(::write(open_end, "a", 1) == 1);
    CHECK(read_text_file(path, 3, 10ms).error().kind == ErrorKind::kInvalid);
    close(open_end);
  }
}
