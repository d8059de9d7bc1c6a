#pragma once

#include "base/clock.hpp"

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

// Values as boxes write them into the engine's hashes: the number of the form, then numbers in hex,
// each with a comma behind it, letters, and texts as <letter><length>:<bytes>. What is not there is
// left out; what a newer box wrote stands behind the rest.
namespace concur {

class ValueWriter {
 public:
  // Of all values, up to now. A later version may not write leases in another form: a session whose
  // lease cannot be read counts nowhere and never ends. Behind what is known here it may add to
  // all.
  static constexpr char kForm = '1';

  ValueWriter() { value_.push_back(kForm); }

  ValueWriter& number(std::int64_t number) {
    char digits[17];
    const auto end = std::to_chars(digits, digits + sizeof digits, number, 16).ptr;
    value_.append(digits, end);
    value_.push_back(',');
    return *this;
  }
  ValueWriter& bytes(std::uint64_t number) { return letters(number); }
  ValueWriter& letter(char letter) {
    value_.push_back(letter);
    return *this;
  }
  ValueWriter& text(char letter, std::string_view text) {
    if (text.empty()) return *this;
    value_.push_back(letter);
    value_.append(std::to_string(text.size()));
    value_.push_back(':');
    value_.append(text);
    return *this;
  }
  std::string with(std::string_view rest) && {
    value_.append(rest);
    return std::move(value_);
  }

 private:
  ValueWriter& letters(std::uint64_t number) {
    char digits[17];
    const auto end = std::to_chars(digits, digits + sizeof digits, number, 16).ptr;
    value_.append(digits, end);
    value_.push_back(',');
    return *this;
  }

  std::string value_;
};

// Once something is not as it should be, nothing more is read.
class ValueReader {
 public:
  static constexpr std::size_t kMaxText = 64 * 1024;
  static constexpr std::int64_t kLatest = std::int64_t{1} << 46;

  explicit ValueReader(std::string_view value) : left_(value) {
    failed_ = left_.empty() || left_.front() != ValueWriter::kForm;
    if (!failed_) left_.remove_prefix(1);
  }

  template <std::integral T>
  T number(T least, T most) {
    T number{};
    const char* end = left_.data() + left_.size();
    const auto [rest, error] = std::from_chars(left_.data(), end, number, 16);
    if (failed_ || error != std::errc() || rest == end || *rest != ',' || number < least ||
        number > most) {
      failed_ = true;
      return least;
    }
    left_.remove_prefix(static_cast<std::size_t>(rest - left_.data()) + 1);
    return number;
  }
  // At most in the year 4199, so that what is added to it stays a time.
  Instant instant() { return Instant(Millis(number<std::int64_t>(0, kLatest))); }
  char letter() {
    if (failed_ || left_.empty()) {
      failed_ = true;
      return '\0';
    }
    const char letter = left_.front();
    left_.remove_prefix(1);
    return letter;
  }
  // Empty where the next is none of that letter.
  std::string text(char letter) {
    if (failed_ || left_.empty() || left_.front() != letter) return {};
    std::size_t size = 0;
    const char* end = left_.data() + left_.size();
    const auto [rest, error] = std::from_chars(left_.data() + 1, end, size);
    const auto head = static_cast<std::size_t>(rest - left_.data()) + 1;
    if (error != std::errc() || rest == end || *rest != ':' || size > kMaxText ||
        left_.size() - head < size) {
      failed_ = true;
      return {};
    }
    std::string text(left_.substr(head, size));
    left_.remove_prefix(head + size);
    return text;
  }
  bool flag(char letter) {
    if (failed_ || left_.empty() || left_.front() != letter) return false;
    left_.remove_prefix(1);
    return true;
  }
  bool at_end() const { return left_.empty(); }
  std::string_view rest() const { return left_; }
  bool failed() const { return failed_; }

 private:
  std::string_view left_;
  bool failed_ = false;
};

}  // namespace concur
