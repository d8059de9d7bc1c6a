#include "session/detail_text.hpp"

#include "base/utf8.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace concur;

TEST_CASE("cut_text cuts between characters") {
  CHECK(cut_text("film", 4) == "film");
  CHECK(cut_text("film", 3) == "fil");
  CHECK(cut_text("f\u00e9e", 2) == "f");
  CHECK(cut_text("f\u00e9e", 3) == "f\u00e9");
  CHECK(cut_text("\U0001F4FA", 3).empty());
  CHECK(cut_text("", 0).empty());
}

TEST_CASE("cut_device") {
  CHECK(cut_device("tv") == "tv");
  CHECK(cut_device(std::string(256, 'x')) == std::string(256, 'x'));
  std::string many;
  for (int i = 0; i < 200; ++i) many += "\u00e9";
  const std::string one = cut_device(many + "1");
  CHECK(one.size() <= 256);
  CHECK(is_utf8(one));
  CHECK(one == cut_device(many + "1"));
  CHECK(one != cut_device(many + "2"));
  CHECK(cut_device(one) == one);
}
