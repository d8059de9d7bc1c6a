#include "engine/slot.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>

using namespace concur::engine;

namespace {

std::string key_of(std::string_view name) {
  std::string key = "concur:u:";
  append_name(key, name);
  return key;
}

}  // namespace

TEST_CASE("slot_of") {
  SUBCASE("is that of the specification, and of redis-cli CLUSTER KEYSLOT") {
    CHECK(slot_of("123456789") == 0x31C3);
    CHECK(slot_of("foo") == 12182);
    CHECK(slot_of("") == 0);
    CHECK(slot_of("concur:u:abc") == slot_of("{concur:u:abc}"));
  }
  SUBCASE("is of the first tag, where that is something") {
    CHECK(slot_of("{user1000}.following") == slot_of("user1000"));
    CHECK(slot_of("foo{}{bar}") == 8363);  // of the whole
    CHECK(slot_of("foo{{bar}}zap") == slot_of("{bar"));
    CHECK(slot_of("foo{bar}{zap}") == slot_of("bar"));
    CHECK(slot_of("foo}bar{") != slot_of("bar"));
  }
}

TEST_CASE("append_name") {
  SUBCASE("lets no name choose its slot") {
    for (const char* name : {"{a}", "}", "{", "a{b}c", "{}{a}", "%7Ba%7D"}) {
      CAPTURE(name);
      const std::string key = key_of(name);
      CHECK(key.find_first_of("{}") == std::string::npos);
      CHECK(slot_of(key) == slot_of("{" + key + "}"));
    }
  }
  SUBCASE("keeps names apart, and gives them back") {
    std::set<std::string> keys;
    for (const char* name :
         {"", "a", "{a}", "%7Ba%7D", "%257Ba", "%", "%2", "100%", "\xC3\xBC", "%7b"}) {
      CAPTURE(name);
      std::string part;
      append_name(part, name);
      CHECK(keys.insert(part).second);
      CHECK(decode_name(part) == name);
    }
  }
  SUBCASE("of what is not its own nothing is decoded") {
    CHECK(decode_name("%41%7b%") == "%41%7b%");
  }
}

TEST_CASE("tag_of") {
  SUBCASE("is in its slot, each") {
    bool all = true;
    for (unsigned slot = 0; slot < kSlots; ++slot) {
      const std::string key = "x:{" + std::string(tag_of(static_cast<Slot>(slot))) + "}";
      all &= slot_of(key) == slot;
    }
    CHECK(all);
  }
}
