#include "base/json_text.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace concur;

TEST_CASE("append_json_string escapes what RFC 8259 says must be, and nothing else") {
  CHECK(json_string("abc é 日 /") == "\"abc é 日 /\"");
  CHECK(json_string("\"\\") == R"("\"\\")");
  CHECK(json_string("a\nb\r\t") == R"("a\nb\r\t")");
  CHECK(json_string(std::string("\0\x1f\x7f", 3)) == "\"\\u0000\\u001f\x7f\"");
  CHECK(json_string("") == "\"\"");
  CHECK(json_string("\xff\xc3") == "\"\xff\xc3\"");
  std::string out = "before ";
  append_json_string(out, "a long text in which only the last character is one \"");
  CHECK(out == R"(before "a long text in which only the last character is one \"")");
}

TEST_CASE("needs_json_escape") {
  CHECK(!needs_json_escape(""));
  CHECK(!needs_json_escape("abc é 日 / and more than eight bytes"));
  for (const char c : {'"', '\\', '\n', '\x1f', '\0'}) {
    for (std::size_t before : {0U, 5U, 8U, 13U}) {
      CHECK(needs_json_escape(std::string(before, 'x') + c));
    }
  }
}
