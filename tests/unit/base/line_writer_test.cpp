#include "base/line_writer.hpp"

#include "base/fd.hpp"
#include "base/text.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <thread>
#include <vector>

using namespace concur;

namespace {

struct Pipe {
  Pipe() {
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    reader = Fd(ends[0]);
    writer = Fd(ends[1]);
  }

  // All that comes until the other end is closed.
  std::string read_all() const {
    std::string all;
    std::array<char, 4096> part{};
    for (ssize_t size = 0; (size = read(reader.get(), part.data(), part.size())) > 0;) {
      all.append(part.data(), static_cast<std::size_t>(size));
    }
    return all;
  }

  Fd reader;
  Fd writer;
};

std::string notice(std::uint64_t dropped) { return text::format("dropped {}\n", dropped); }

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t from = 0;
  for (std::size_t end = 0; (end = text.find('\n', from)) != std::string::npos; from = end + 1) {
    lines.push_back(text.substr(from, end - from));
  }
  return lines;
}

}  // namespace

TEST_CASE("LineWriter writes lines and never waits for their reader") {
  Pipe pipe;

  SUBCASE("in order, and all of them before its end") {
    {
      LineWriter writer(pipe.writer.get(), notice);
      for (int i = 0; i < 1000; ++i) writer.write(text::format("line {}\n", i));
    }
    pipe.writer.close();
    const auto lines = lines_of(pipe.read_all());
    REQUIRE(lines.size() == 1000);
    for (int i = 0; i < 1000; ++i)
      CHECK(lines[static_cast<std::size_t>(i)] == text::format("line {}", i));
  }

  SUBCASE("what does not fit is dropped, and the notice says where and how many") {
    constexpr int kLines = 200'000;  // several times what the pipe and the writer hold
    std::optional<LineWriter> writer(std::in_place, pipe.writer.get(), notice);
    for (int i = 0; i < kLines; ++i) writer->write(text::format("line {:06}\n", i));
    std::string all;
    std::thread reader([&] { all = pipe.read_all(); });
    writer->write("last\n");
    writer.reset();
    pipe.writer.close();
    reader.join();
    const auto lines = lines_of(all);
    int next = 0;
    int dropped = 0;
    for (const std::string& line : lines) {
      if (line.starts_with("dropped ")) {
        const int count = std::stoi(line.substr(8));
        dropped += count;
        next += count;
      } else if (line != "last") {
        REQUIRE(line == text::format("line {:06}", next));
        ++next;
      } else {
        ++next;
      }
    }
    CHECK(dropped > 0);
    CHECK(next == kLines + 1);
  }

  SUBCASE("a reader that never reads does not hold up its end either") {
    std::optional<LineWriter> writer(std::in_place, pipe.writer.get(), notice);
    for (int i = 0; i < 200'000; ++i) writer->write("a line that nobody will ever read\n");
    writer.reset();                           // hangs here if it is wrong
    // The thread writes still, until the process ends.
    CHECK(pipe.writer.release() >= 0);
    CHECK(pipe.reader.release() >= 0);
  }

  SUBCASE("a reader that is gone is no fault of who writes") {
    pipe.reader.close();
    LineWriter writer(pipe.writer.get(), notice);
    writer.write("to nobody\n");
  }

  SUBCASE("a descriptor that does not block is waited for") {
    REQUIRE(fcntl(pipe.writer.get(), F_SETFL, O_NONBLOCK) == 0);
    std::string all;
    std::thread reader;
    {
      LineWriter writer(pipe.writer.get(), notice);
      for (int i = 0; i < 5000; ++i)
        writer.write(text::format("line {:06} of what fills a pipe\n", i));
      reader = std::thread([&] { all = pipe.read_all(); });
    }
    pipe.writer.close();
    reader.join();
    CHECK(lines_of(all).size() == 5000);
  }
}
