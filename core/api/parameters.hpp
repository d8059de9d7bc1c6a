#pragma once

#include "api/target.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "session/command.hpp"

#include <charconv>
#include <cstdint>
#include <string_view>
#include <system_error>

namespace concur {

// A query parameter that is a whole number from 0 to `most`; `otherwise` where it is absent or
// empty, kInvalid where it is anything else.
template <class T>
Result<T> number_of(const Target& target, std::string_view name, T otherwise, T most) {
  const auto text = target.query(name);
  if (!text || text->empty()) return otherwise;
  T value = 0;
  const char* end = text->data() + text->size();
  const auto [rest, failed] = std::from_chars(text->data(), end, value);
  if (failed != std::errc() || rest != end || value < 0 || value > most) {
    return Error{
        ErrorKind::kInvalid,
        text::format("cannot accept parameter '{}': it takes a whole number up to {}", name, most)};
  }
  return value;
}

// How many a page lists; as many as there can be where nothing is said.
inline Result<std::uint32_t> page_size(const Target& target) {
  auto size = number_of<std::uint32_t>(target, "limit", kMaxListed, kMaxListed);
  if (size && *size == 0) return kMaxListed;
  return size;
}

// Where a list goes on. The service judges it.
inline Cursor page_after(const Target& target) {
  return Cursor(target.query("after").value_or(std::string_view()));
}

// A switch in the query: true or false, and false where it is absent.
inline Result<bool> switch_of(const Target& target, std::string_view name) {
  const auto text = target.query(name);
  if (!text || *text == "false") return false;
  if (*text == "true") return true;
  return Error{ErrorKind::kInvalid,
               text::format("cannot accept parameter '{}': it takes true or false", name)};
}

}  // namespace concur
