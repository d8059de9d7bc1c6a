#include "api/json_writer.hpp"

#include "base/json_text.hpp"
#include "base/text.hpp"

#include <charconv>
#include <cstdlib>
#include <iterator>

namespace concur {

char* put_seconds(char* to, Millis value) {
  const std::int64_t ms = value.count();
  if (ms < 0) *to++ = '-';
  to = std::to_chars(to, to + kMaxSecondsSize, std::abs(ms / 1000)).ptr;
  const auto rest = static_cast<int>(std::abs(ms % 1000));
  if (rest == 0) return to;
  const char digits[] = {'.', static_cast<char>('0' + rest / 100),
                         static_cast<char>('0' + rest / 10 % 10),
                         static_cast<char>('0' + rest % 10)};
  return std::copy_n(digits, rest % 10 != 0 ? 4 : rest % 100 != 0 ? 3 : 2, to);
}

void JsonWriter::write_out() {
  out_.append(room_, static_cast<std::size_t>(at_ - room_));
  at_ = room_;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  value(name);
  make_room(1);
  *at_++ = ':';
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
  constexpr std::size_t kMostAround = 3;  // a comma and quotes
  const bool plain = text.size() + kMostAround <= kRoom && !needs_json_escape(text);
  char* to = begin(plain ? text.size() + kMostAround : 1);
  if (!plain) {
    end(to, true);
    write_out();
    append_json_string(out_, text);
    return *this;
  }
  *to++ = '"';
  to = std::copy(text.begin(), text.end(), to);
  *to++ = '"';
  return end(to, true);
}

JsonWriter& JsonWriter::value(bool truth) { return raw(truth ? "true" : "false"); }

JsonWriter& JsonWriter::value(double number) { return raw(text::format("{:.2f}", number)); }

JsonWriter& JsonWriter::value(Millis seconds) {
  return end(put_seconds(begin(kMaxSecondsSize + 1), seconds), true);
}

JsonWriter& JsonWriter::value(WallTime at) {
  char* to = begin(kUtcSize + 3);
  *to++ = '"';
  put_utc(to, at);
  to += kUtcSize;
  *to++ = '"';
  return end(to, true);
}

JsonWriter& JsonWriter::raw(std::string_view json) {
  end(begin(1), true);
  write_out();
  out_ += json;
  return *this;
}

}  // namespace concur
