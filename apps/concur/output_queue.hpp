#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace concur::cli {

// Text on its way to standard output, for a caller that polls: a reader that is slow, or has
// stopped, keeps it from nothing else.
class OutputQueue {
 public:
  void add(std::string_view text) { text_ += text; }
  std::size_t size() const { return text_.size() - written_; }

  // What to poll standard output for. Without text too: that its reader went away is reported then.
  short events() const;

  // After a poll: writes what the reader has room for. kUnavailable where it can take no more.
  Result<void> advance(short happened);

  // Writes all of it, however long that takes.
  Result<void> flush();

 private:
  std::string text_;
  std::size_t written_ = 0;  // of text_
};

}  // namespace concur::cli
