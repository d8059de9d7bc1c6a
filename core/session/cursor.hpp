#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace concur {

// Where a list goes on: `next` of one page is `after` of the following. Opaque to all but the
// service that made it, which also judges those that come back. At most kMaxBytes; empty is the
// beginning, and as `next` the end.
class Cursor {
 public:
  static constexpr std::size_t kMaxBytes = 64;

  Cursor() = default;
  explicit Cursor(std::string_view text) : text_(text) {}

  const std::string& text() const { return text_; }
  bool empty() const { return text_.empty(); }
  bool operator==(const Cursor&) const = default;

  // For a service whose places have numbers. The beginning is 0; nothing where the text is no such
  // cursor, or the number is above `max`.
  static Cursor at(std::uint64_t number);
  std::optional<std::uint64_t> number(std::uint64_t max) const;

  // Why a service does not list on from there: kInvalid.
  Error not_ours() const;

 private:
  std::string text_;
};

}  // namespace concur
