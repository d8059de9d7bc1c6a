#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace concur::cli {

// The longest line the daemon reads.
inline constexpr std::size_t kMaxLine = std::size_t{64} * 1024;

// Cuts what a descriptor brings into lines, and passes over those of white space alone and a byte
// order mark in front. It holds no
// more than a block and a line: of a line longer than kMaxLine one byte beyond that is kept, by
// which the daemon knows it as too long, and the rest is not.
class LineReader {
 public:
  struct Line {
    std::string_view text;  // without its end and the white space it began with
    std::uint64_t number;   // from 1, blank lines too
  };

  explicit LineReader(int fd) : fd_(fd), block_(kBlock) {}

  // Reads once, which waits where nothing is there. kUnavailable where that fails; then that was
  // the end.
  Result<void> read();

  // The next line, where all of it is there; the same one until pop(). read() only without one.
  std::optional<Line> peek();
  void pop();

  // There are no more lines: asked after peek() has found none.
  bool at_end() const { return ended_ && !ready_; }

 private:
  static constexpr std::size_t kBlock = std::size_t{64} * 1024;

  void append(std::string_view part);
  void end_line();

  int fd_;
  std::vector<char> block_;
  std::size_t begin_ = 0;  // what of the block is not cut yet
  std::size_t end_ = 0;
  std::string line_;
  std::uint64_t number_ = 0;
  bool ready_ = false;  // line_ is whole
  bool ended_ = false;
};

}  // namespace concur::cli
