#include "net/api_keys.hpp"
#include "base/text.hpp"

#include <doctest/doctest.h>

using namespace concur;

namespace {

const std::string kOne(32, '1');
const std::string kTwo(32, '2');

std::string problem(const std::string& text) {
  const auto keys = parse_api_keys(text);
  return keys ? "" : keys.error().message;
}

}  // namespace

TEST_CASE("parse_api_keys") {
  SUBCASE("a line names one, and says what it may and by what it is known") {
    const auto keys = parse_api_keys("# who\n\nedge-1 client " + kOne + "\n\tops\t operator\t" +
                                     kTwo + "\r\nscraper metrics " + std::string(128, '!'));
    REQUIRE(keys.has_value());
    REQUIRE(keys->size() == 3);
    CHECK((*keys)[0] == ApiKey{"edge-1", Role::kClient, kOne});
    CHECK((*keys)[1] == ApiKey{"ops", Role::kOperator, kTwo});
    CHECK((*keys)[2] == ApiKey{"scraper", Role::kMetrics, std::string(128, '!')});
    CHECK(parse_api_keys("")->empty());
  }
  SUBCASE("a byte order mark in front is passed over") {
    CHECK(parse_api_keys("\xEF\xBB\xBF" + ("a client " + kOne))->at(0).name == "a");
    CHECK(parse_api_keys("\xEF\xBB\xBF# a\n")->empty());
  }
  SUBCASE("anything else is refused by its line's number, and no key is told") {
    CHECK(problem("a client") == "line 1: it takes the form: name role key");
    CHECK(problem("\n\na client " + kOne + " more").starts_with("line 3: it takes the form"));
    CHECK(problem("a Client " + kOne) == "line 1: a role is client, operator or metrics");
    CHECK(problem("ä client " + kOne).starts_with("line 1: a name has at most 64 letters"));
    CHECK(problem(std::string(65, 'n') + " client " + kOne).starts_with("line 1: a name has"));
    CHECK(problem("a client " + kOne.substr(1)) ==
          "line 1: a key has 32 to 128 characters, this one has 31");
    CHECK(problem("a client " + std::string(129, 'k')).ends_with("this one has 129"));
    CHECK(problem("a client " + kOne + "\x7f").ends_with("printable ASCII characters alone"));
    CHECK(problem("a client " + kOne + std::string(1, '\0')).ends_with("ASCII characters alone"));
    CHECK(problem("a client " + kOne + "\na client " + kTwo) ==
          "line 2: there is a key of the name a already");
    CHECK(problem("a client " + kOne + "\nb client " + kOne) ==
          "line 2: another name has the same key");
  }
  SUBCASE("there is an end to how many") {
    std::string text;
    for (std::size_t i = 0; i < kMaxKeys; ++i) text += text::format("n{0} client {0:032}\n", i);
    CHECK(parse_api_keys(text)->size() == kMaxKeys);
    CHECK(problem(text + "last client " + std::string(32, 'x')) ==
          "line 1001: there are more than 1000 keys");
  }
}

TEST_CASE("equal_in_constant_time") {
  CHECK(equal_in_constant_time("secret", "secret"));
  CHECK(equal_in_constant_time("", ""));
  for (const char* other : {"", "s", "secre", "secrets", "Secret", "secreT", "secretsecret"}) {
    CAPTURE(other);
    CHECK_FALSE(equal_in_constant_time("secret", other));
    CHECK_FALSE(equal_in_constant_time(other, "secret"));
  }
}

TEST_CASE("KeyRing") {
  const ApiKey one{"one", Role::kClient, kOne};
  const ApiKey two{"two", Role::kOperator, kTwo};
  const KeyRing ring({one, two});
  CHECK(*ring.find(kOne) == one);
  CHECK(*ring.find(kTwo) == two);
  CHECK_FALSE(ring.find(kOne.substr(1)));
  CHECK_FALSE(ring.find(""));
  CHECK_FALSE(ring.find(std::string(10'000, '1')));
  CHECK(ring.has(one));
  CHECK_FALSE(ring.has({"one", Role::kOperator, kOne}));
}
