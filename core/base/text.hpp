#pragma once

#if __has_include(<fmt/base.h>)
#include <fmt/base.h>  // fmt 11 and later
#else
#include <fmt/core.h>
#endif

#include <charconv>
#include <concepts>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

// Formatting as fmt does it (https://fmt.dev/latest/syntax/), with the formatter compiled once, in
// text.cpp: where each file compiles its own, that is two fifths of a build. Called by its
// qualified name, for std::format would be found too.
namespace concur::text {

std::string vformat(fmt::string_view format, fmt::format_args args);
void vappend(std::string& out, fmt::string_view format, fmt::format_args args);

template <class... Args>
std::string format(fmt::format_string<Args...> format, Args&&... args) {
  return text::vformat(format, fmt::make_format_args(args...));
}

// The same, to the end of a text.
template <class... Args>
void append(std::string& out, fmt::format_string<Args...> format, Args&&... args) {
  text::vappend(out, format, fmt::make_format_args(args...));
}

// The same, to a stream; false where it could not be written.
template <class... Args>
bool print(std::FILE* to, fmt::format_string<Args...> format, Args&&... args) {
  return std::fputs(text::vformat(format, fmt::make_format_args(args...)).c_str(), to) >= 0;
}

template <class Texts>
std::string join(const Texts& parts, std::string_view between) {
  std::string joined;
  for (bool first = true; const std::string_view part : parts) {
    if (!std::exchange(first, false)) joined += between;
    joined += part;
  }
  return joined;
}

// A number's decimal digits, for where many are written.
class Digits {
 public:
  explicit Digits(std::integral auto number)
      : end_(std::to_chars(digits_, digits_ + sizeof digits_, number).ptr) {}
  const char* data() const { return digits_; }
  std::size_t size() const { return static_cast<std::size_t>(end_ - digits_); }
  std::string_view view() const { return {data(), size()}; }

 private:
  char digits_[24];
  char* end_;
};

}  // namespace concur::text
