#pragma once

#include "base/clock.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace concur {

// A duration in seconds, exact to the millisecond, without trailing zeros: 30, 41.2, 0.333. Returns
// the end of what was put there, where there must be room for kMaxSecondsSize bytes.
inline constexpr std::size_t kMaxSecondsSize = 21;
char* put_seconds(char* to, Millis value);

// Writes one JSON document without spaces to the end of a string, which must outlive it and which
// has all of it once end_line() was called, or the writer is gone. Calls must nest as the document
// does; keys are plain ASCII and come from the program.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}
  JsonWriter(const JsonWriter&) = delete;
  JsonWriter& operator=(const JsonWriter&) = delete;
  ~JsonWriter() { write_out(); }

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }

  // A key that the program spells out.
  template <std::size_t Size>
  JsonWriter& key(const char (&name)[Size]) {
    static_assert(Size + 3 <= kRoom);
    char* to = begin(Size + 3);
    *to++ = '"';
    to = std::copy_n(name, Size - 1, to);
    *to++ = '"';
    *to++ = ':';
    return end(to, false);
  }
  JsonWriter& key(std::string_view name);
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(bool truth);
  JsonWriter& value(double number);
  JsonWriter& value(Millis seconds);
  JsonWriter& value(WallTime at);
  JsonWriter& value(std::integral auto number) {
    const text::Digits digits(number);
    return end(std::copy_n(digits.data(), digits.size(), begin(1 + digits.size())), true);
  }
  // A value that is JSON already.
  JsonWriter& raw(std::string_view json);

  template <std::size_t Size, class T>
  JsonWriter& field(const char (&name)[Size], const T& of) {
    return key(name).value(of);
  }

  // Ends the line that the document stands in.
  void end_line() {
    make_room(1);
    *at_++ = '\n';
    write_out();
  }

 private:
  // Much is written in small pieces: they are gathered here, where nothing needs to grow. A denial
  // of three sessions fits.
  static constexpr std::size_t kRoom = 1024;

  void make_room(std::size_t size) {
    if (size > static_cast<std::size_t>(room_ + kRoom - at_)) write_out();
  }
  void write_out();

  // Where something of so many bytes begins, a comma before it included; end() says where it ended,
  // and whether a comma is due before what follows. In between, nothing is read back from memory.
  char* begin(std::size_t size) {
    make_room(size);
    char* to = at_;
    if (needs_comma_) *to++ = ',';
    return to;
  }
  JsonWriter& end(char* to, bool needs_comma) {
    at_ = to;
    needs_comma_ = needs_comma;
    return *this;
  }
  JsonWriter& open(char bracket) {
    char* to = begin(2);
    *to++ = bracket;
    return end(to, false);
  }
  JsonWriter& close(char bracket) {
    make_room(1);
    *at_++ = bracket;
    needs_comma_ = true;
    return *this;
  }

  std::string& out_;
  bool needs_comma_ = false;
  char room_[kRoom];
  char* at_ = room_;
};

}  // namespace concur
