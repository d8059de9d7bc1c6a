#include "base/base64.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace concur;

TEST_CASE("decode_base64") {
  SUBCASE("reads RFC 4648's examples, padded or not") {
    for (const auto& [encoded, text] :
         std::vector<std::pair<std::string, std::string>>{{"", ""},
                                                          {"Zg==", "f"},
                                                          {"Zg", "f"},
                                                          {"Zm8=", "fo"},
                                                          {"Zm8", "fo"},
                                                          {"Zm9v", "foo"},
                                                          {"Zm9vYmFy", "foobar"},
                                                          {"+/8A", std::string("\xfb\xff\0", 3)}}) {
      CAPTURE(encoded);
      CHECK(decode_base64(encoded) == text);
    }
  }
  SUBCASE("reads nothing else") {
    for (const char* text : {"Z", "Zm9vY", "Zg===", "Z g=", "Zg-_", "=Zg=", "Zm9v\n"}) {
      CAPTURE(text);
      CHECK_FALSE(decode_base64(text));
    }
  }
}
