#include "session/packed_text.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

using namespace concur;

TEST_CASE("PackedText gives back what it was given") {
  std::vector<std::string> texts;
  for (std::size_t size = 0; size <= 300; ++size)
    texts.emplace_back(size, static_cast<char>('a' + size % 26));
  texts.emplace_back("0123abcd-4567-89ef-0123-456789abcdef");
  texts.emplace_back("0123ABCD-4567-89ef-0123-456789abcdef");  // upper case must not be lost
  texts.emplace_back("0123abcd-4567-89ef-0123-456789abcdeg");
  texts.emplace_back("0123abcd+4567-89ef-0123-456789abcdef");
  texts.emplace_back("00000000-0000-0000-0000-000000000000");
  for (const std::string& text : texts) {
    CAPTURE(text);
    PackedText packed(text);
    CHECK(packed.str() == text);
    CHECK(packed.equals(text));
    CHECK_FALSE(packed.equals(text + "x"));
    PackedText moved(std::move(packed));
    CHECK(moved.str() == text);
    PackedText other("something else that is long enough for the heap");
    other = std::move(moved);
    CHECK(other.str() == text);
  }
}

TEST_CASE("PackedText tells a UUID from its upper-case twin") {
  const PackedText lower("0123abcd-4567-89ef-0123-456789abcdef");
  CHECK_FALSE(lower.equals("0123ABCD-4567-89EF-0123-456789ABCDEF"));
  CHECK_FALSE(lower.equals("0123abcd"));
}
