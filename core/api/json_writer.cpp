#include "api/json_writer.hpp"

#include "base/eight_bytes.hpp"
#include "base/text.hpp"

#include <cstdlib>
#include <iterator>

namespace concur {

namespace {

bool needs_escape(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; }

bool any_needs_escape(std::string_view text) {
  return found_in(text, ' ', [](std::uint64_t bytes) {
           return any_below(bytes, 0x20) | any_is(bytes, '"') | any_is(bytes, '\\');
         }) != 0;
}

void append_escaped(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      break;
    case '\\':
      out += "\\\\";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\t':
      out += "\\t";
      break;
    default:
      text::append(out, "\\u{:04x}", static_cast<unsigned char>(c));
  }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  std::size_t done = 0;
  for (std::size_t i = any_needs_escape(text) ? 0 : text.size(); i < text.size(); ++i) {
    if (!needs_escape(text[i])) continue;
    out.append(text, done, i - done);
    append_escaped(out, text[i]);
    done = i + 1;
  }
  out.append(text, done);
  out += '"';
}

void append_seconds(std::string& out, Millis value) {
  const std::int64_t ms = value.count();
  if (ms % 1000 == 0) {
    const text::Digits digits(ms / 1000);
    out.append(digits.data(), digits.size());
    return;
  }
  if (ms < 0) out += '-';
  out += text::Digits(std::abs(ms) / 1000).view();
  const auto rest = static_cast<int>(std::abs(ms) % 1000);
  const char digits[] = {'.', static_cast<char>('0' + rest / 100),
                         static_cast<char>('0' + rest / 10 % 10),
                         static_cast<char>('0' + rest % 10)};
  out.append(digits, rest % 10 != 0 ? 4 : rest % 100 != 0 ? 3 : 2);
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
  const bool plain = text.size() + kMostAround <= kRoom && !any_needs_escape(text);
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
  if (seconds.count() % 1000 == 0) return value(seconds.count() / 1000);
  end(begin(1), true);
  write_out();
  append_seconds(out_, seconds);
  return *this;
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
