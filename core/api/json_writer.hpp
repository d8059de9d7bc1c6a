#pragma once

#include "base/clock.hpp"

#include <fmt/format.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace concur {

// Appends a JSON string, quotes included (RFC 8259, section 7). The text is UTF-8.
void append_json_string(std::string& out, std::string_view text);

// A duration in seconds, exact to the millisecond, without trailing zeros: 30, 41.2, 0.333.
void append_seconds(std::string& out, Millis value);

// Writes one JSON document without spaces to the end of a string, which must outlive it. Calls must
// nest as the document does; keys are plain ASCII and come from the program.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }

  JsonWriter& key(std::string_view name);
  // One that the program spells out: put together as it is compiled.
  template <std::size_t Size>
  JsonWriter& key(const char (&name)[Size]) {
    constexpr std::size_t kLength = Size - 1;
    char text[kLength + 4];
    text[0] = ',';
    text[1] = '"';
    std::memcpy(text + 2, name, kLength);
    text[kLength + 2] = '"';
    text[kLength + 3] = ':';
    const std::size_t skipped = needs_comma_ ? 0 : 1;
    out_.append(text + skipped, sizeof text - skipped);
    needs_comma_ = false;
    return *this;
  }
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(bool truth);
  JsonWriter& value(double number);
  JsonWriter& value(Millis seconds);
  JsonWriter& value(WallTime at);
  JsonWriter& value(std::integral auto number) {
    separate();
    const fmt::format_int digits(number);
    out_.append(digits.data(), digits.size());
    return *this;
  }
  // A value that is JSON already.
  JsonWriter& raw(std::string_view json);

  template <std::size_t Size, class T>
  JsonWriter& field(const char (&name)[Size], const T& of) {
    return key(name).value(of);
  }

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  void separate();

  std::string& out_;
  bool needs_comma_ = false;
};

}  // namespace concur
