#include "api/json_writer.hpp"

#include "base/eight_bytes.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <iterator>

namespace concur {

namespace {

bool needs_escape(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; }

bool any_needs_escape(std::string_view text) {
  std::uint64_t found = 0;
  for (std::size_t i = 0; i < text.size(); i += 8) {
    const std::uint64_t bytes = eight_bytes(text, i, ' ');
    found |= any_below(bytes, 0x20) | any_is(bytes, '"') | any_is(bytes, '\\');
  }
  return found != 0;
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
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned char>(c));
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
    const fmt::format_int digits(ms / 1000);
    out.append(digits.data(), digits.size());
    return;
  }
  if (ms < 0) out += '-';
  out += fmt::format_int(std::abs(ms) / 1000).c_str();
  const auto rest = static_cast<int>(std::abs(ms) % 1000);
  const char digits[] = {'.', static_cast<char>('0' + rest / 100),
                         static_cast<char>('0' + rest / 10 % 10),
                         static_cast<char>('0' + rest % 10)};
  out.append(digits, rest % 10 != 0 ? 4 : rest % 100 != 0 ? 3 : 2);
}

JsonWriter& JsonWriter::open(char bracket) {
  separate();
  out_ += bracket;
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
  out_ += bracket;
  needs_comma_ = true;
  return *this;
}

void JsonWriter::separate() {
  if (needs_comma_) out_ += ',';
  needs_comma_ = true;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  separate();
  out_ += '"';
  out_ += name;
  out_ += "\":";
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
  separate();
  append_json_string(out_, text);
  return *this;
}

JsonWriter& JsonWriter::value(bool truth) { return raw(truth ? "true" : "false"); }

JsonWriter& JsonWriter::value(double number) { return raw(fmt::format("{:.2f}", number)); }

JsonWriter& JsonWriter::value(Millis seconds) {
  separate();
  append_seconds(out_, seconds);
  return *this;
}

JsonWriter& JsonWriter::value(WallTime at) {
  separate();
  out_ += '"';
  append_utc(out_, at);
  out_ += '"';
  return *this;
}

JsonWriter& JsonWriter::raw(std::string_view json) {
  separate();
  out_ += json;
  return *this;
}

}  // namespace concur
