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
  const std::string digits = "00112233445566778899aabbccddeeff0";
  for (std::size_t size = 0; size <= digits.size(); ++size) {
    texts.push_back(digits.substr(0, size));
    texts.push_back(digits.substr(0, size) + "g");
    texts.push_back(digits.substr(0, size) + "-");
  }
  for (const std::string& text : texts) {
    CAPTURE(text);
    PackedText packed(text);
    CHECK(packed.str() == text);
    CHECK(packed.equals(text));
    CHECK_FALSE(packed.equals(text + "x"));
    CHECK_FALSE(packed.equals(text + "0"));
    const PackedText copy = packed.copy();
    CHECK(copy == packed);
    CHECK(copy.key() == packed.key());
    PackedText moved(std::move(packed));
    CHECK(moved.str() == text);
    PackedText other("something else that is long enough for the heap");
    other = std::move(moved);
    CHECK(other.str() == text);
  }
}

TEST_CASE("PackedText tells apart what packs alike") {
  const std::vector<std::string> texts{"0123abcd-4567-89ef-0123-456789abcdef",
                                       "0123ABCD-4567-89EF-0123-456789ABCDEF",
                                       "0123abcd456789ef0123456789abcdef",
                                       "0123abcd456789ef0123456789abcde0",
                                       "0123abcd456789ef0123456789abcde",
                                       "0123abcd",
                                       "00000000-0000-0000-0000-000000000000",
                                       "00000000000000000000000000000000",
                                       "0000000000000000000000000000000",
                                       "00000000000000000",
                                       "0000000000000000",
                                       ""};
  for (const std::string& one : texts) {
    for (const std::string& other : texts) {
      CAPTURE(one);
      CAPTURE(other);
      CHECK(PackedText(one).equals(other) == (one == other));
      CHECK((PackedText(one) == PackedText(other)) == (one == other));
    }
  }
}
