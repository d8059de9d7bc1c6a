#include "line_reader.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace concur::cli {

Result<void> LineReader::read() {
  const ssize_t got = ::read(fd_, block_.data(), block_.size());
  if (got > 0) {
    begin_ = 0;
    end_ = static_cast<std::size_t>(got);
    return {};
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {};
  const int error = got < 0 ? errno : 0;
  ended_ = true;
  end_line();
  if (error == 0) return {};
  return Error{ErrorKind::kUnavailable,
               text::format("cannot read standard input: {}", std::strerror(error))};
}

std::optional<LineReader::Line> LineReader::peek() {
  while (!ready_ && begin_ < end_) {
    const std::string_view rest(block_.data() + begin_, end_ - begin_);
    const std::size_t newline = rest.find('\n');
    append(rest.substr(0, newline));
    begin_ = newline == std::string_view::npos ? end_ : begin_ + newline + 1;
    if (newline != std::string_view::npos) end_line();
  }
  if (!ready_) return std::nullopt;
  return Line{line_, number_};
}

void LineReader::pop() {
  line_.clear();
  ready_ = false;
}

void LineReader::append(std::string_view part) {
  constexpr std::string_view kWhiteSpace = " \t\r";
  if (line_.empty()) {
    part.remove_prefix(std::min(part.find_first_not_of(kWhiteSpace), part.size()));
  }
  line_.append(part.substr(0, kMaxLine + 1 - line_.size()));
}

void LineReader::end_line() {
  if (++number_ == 1 && without_byte_order_mark(line_).size() < line_.size()) {
    const std::string line(without_byte_order_mark(line_));
    line_.clear();
    append(line);
  }
  ready_ = !line_.empty();
}

}  // namespace concur::cli
