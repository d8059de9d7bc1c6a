#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace concur {

// Writes lines to a descriptor on a thread of its own, in order, so that whoever logs never waits
// for whoever reads: a pipe that nobody drains, a stopped terminal, a disk that hangs. What waits
// is bounded; beyond that lines are dropped and counted, and a line in their place says how many.
class LineWriter {
 public:
  // Of lines that wait, and as much again may be under way.
  static constexpr std::size_t kMaxWaiting = std::size_t{1} << 20;
  // How long the end waits for the reader.
  static constexpr std::chrono::milliseconds kPatience{1000};

  // Makes the line that stands in the place of so many dropped ones.
  using Notice = std::function<std::string(std::uint64_t dropped)>;

  // The descriptor stays the caller's and must stay open until the process ends. Throws
  // std::system_error where no thread can be made.
  LineWriter(int to, Notice notice);
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // Writes what waits, but gives up after kPatience; the thread is left to the process's end then.
  ~LineWriter();

  // Returns once what was taken is written, or after kPatience.
  void flush();

  // Takes a whole line, its end included. From any thread; never waits for the descriptor.
  void write(std::string_view line);

 private:
  struct Shared;

  std::shared_ptr<Shared> shared_;  // the thread's, too
};

}  // namespace concur
