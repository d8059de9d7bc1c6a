#pragma once

#include "base/clock.hpp"

#include <concepts>
#include <cstdint>
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
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(bool truth);
  JsonWriter& value(double number);
  JsonWriter& value(Millis seconds);
  JsonWriter& value(WallTime at);
  JsonWriter& value(std::integral auto number) {
    separate();
    out_ += std::to_string(number);
    return *this;
  }
  // A value that is JSON already.
  JsonWriter& raw(std::string_view json);

  template <class T>
  JsonWriter& field(std::string_view name, const T& of) {
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
