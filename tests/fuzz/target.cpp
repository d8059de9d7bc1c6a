// Paths, names and queries: what is encoded is decoded as it was, ids are checked as their rule
// says, and the table of routes finds what a pattern stands for.
#include "api/target.hpp"

#include "api/api.hpp"
#include "api/parameters.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"
#include "session/packed_text.hpp"
#include "support/claim.hpp"
#include "support/fuzz_target.hpp"

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

using namespace concur;
using fuzz::claim;

namespace {

std::string encode(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    concur::text::append(encoded, "%{:02x}", static_cast<unsigned char>(c));
  }
  return encoded;
}

// Well-formed UTF-8 without control characters, by decoding it; has_control() and is_utf8() do not.
bool is_plain(std::string_view text) {
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  for (std::size_t at = 0; at < text.size();) {
    const auto first = static_cast<unsigned char>(text[at]);
    const std::size_t length = first < 0x80   ? 1
                               : first < 0xc0 ? 0
                               : first < 0xe0 ? 2
                               : first < 0xf0 ? 3
                               : first < 0xf8 ? 4
                                              : 0;
    if (length == 0 || at + length > text.size()) return false;
    char32_t point = length == 1 ? first : first & (0x7fU >> length);
    for (std::size_t i = 1; i < length; ++i) {
      const auto next = static_cast<unsigned char>(text[at + i]);
      if ((next & 0xc0U) != 0x80) return false;
      point = point << 6U | (next & 0x3fU);
    }
    if (point < kLeast[length] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
      return false;
    if (point < 0x20 || (point >= 0x7f && point < 0xa0)) return false;
    at += length;
  }
  return true;
}

void check_name(std::string_view name) {
  const auto id = Id::parse("user", name);
  claim(id.has_value() == (!name.empty() && name.size() <= Id::kMaxBytes && is_plain(name)),
        "an id is 1 to 256 bytes of UTF-8 without control characters");
  claim(!id || id->text() == name, "an id is what was told");
  claim(id || id.error().kind == ErrorKind::kInvalid, "no id is refused as invalid");
  const PackedText packed(name);
  claim(packed.str() == name && packed.equals(name), "a packed name is the name");
  if (is_utf8(name) && !has_control(name)) {
    const std::string logged = in_quotes(name);
    claim(logged.size() >= name.size() + 2 && is_plain(logged), "a logged name stays in its line");
  }
}

void check_round_trip(std::string_view text) {
  const std::string path = text::format("/{0}/v1/{0}?{0}={0}&x=1", encode(text));
  const auto target = Target::parse(path);
  claim(target.has_value(), "what is encoded can be read");
  claim(target->segments() == Target::Segments{text, "v1", text},
        "segments decode to what they were");
  claim(target->query(text) == text, "and so do parameters");
}

void check_route(const Target& target) {
  for (const std::string_view method : {"GET", "HEAD", "PUT", "POST", "DELETE", "BREW"}) {
    Names names;
    const Route* route = match(Api::routes(), method, target, names);
    if (route == nullptr) continue;
    claim(route->method == (method == "HEAD" ? "GET" : method), "a route has the method");
    const std::string allowed = allowed_methods(Api::routes(), target);
    claim(allowed.find(method) != std::string::npos, "a method that is taken is allowed");
    const auto braces = std::ranges::count(route->pattern.text(), '{');
    claim(names.size() == static_cast<std::size_t>(braces), "each brace has its name");
  }
}

void check_target(std::string_view text) {
  const auto target = Target::parse(text);
  if (!target) {
    claim(target.error().kind == ErrorKind::kInvalid, "a path is refused as invalid");
    return;
  }
  claim(!target->segments().empty(), "a path has a segment");
  std::string again;
  for (const std::string_view segment : target->segments()) again += '/' + encode(segment);
  const auto repeated = Target::parse(again);
  claim(repeated && repeated->segments() == target->segments(), "segments survive their encoding");
  for (const std::string_view segment : target->segments()) check_name(segment);
  for (const std::string_view name : {"after", "limit", "since"}) {
    const auto number = number_of<std::uint32_t>(*target, name, 7, 1000);
    claim(!number || *number <= 1000, "a number is within its bounds");
  }
  const auto size = page_size(*target);
  claim(!size || (*size > 0 && *size <= kMaxListed), "a page has a size");
  check_route(*target);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_target(text);
  check_name(text);
  if (!text.empty()) check_round_trip(text);
  return 0;
}
