#include "session/slot_texts.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace concur;

TEST_CASE("SlotTexts") {
  SlotTexts texts;
  SUBCASE("has nothing for a slot that nothing was said of") {
    CHECK(texts.find(0) == nullptr);
    CHECK(texts.find(9'999'999) == nullptr);
    texts.erase(9'999'999);
  }
  SUBCASE("keeps a text once, for however many") {
    for (Slot slot = 0; slot < 20'000; ++slot) texts.set(slot, "the same");
    CHECK(texts.texts() == 1);
    CHECK(*texts.find(19'999) == "the same");
    for (Slot slot = 0; slot < 19'999; ++slot) texts.erase(slot);
    CHECK(texts.find(0) == nullptr);
    CHECK(*texts.find(19'999) == "the same");
    texts.erase(19'999);
    CHECK(texts.texts() == 0);
  }
  SUBCASE("takes another text in the place of one, and none for nothing") {
    texts.set(5, "one");
    texts.set(5, "two");
    CHECK(*texts.find(5) == "two");
    texts.set(6, "three");
    texts.set(5, "");
    CHECK(texts.find(5) == nullptr);
    CHECK(*texts.find(6) == "three");
    texts.set(7, "four");
    CHECK(*texts.find(6) == "three");
    CHECK(*texts.find(7) == "four");
  }
}
