#include "rules/attribute.hpp"

#include "rules/rule_numbers.hpp"

#include <doctest/doctest.h>

using namespace concur;

TEST_CASE("What rules ask of a session") {
  const Attributes session("tv-1", "2001:db8:1:2:3:4:5:6", "news",
                           R"({"type":"tv","hd":true,"n":1.5,"e":"","z":null,"device":"no"})");
  const auto value = [&session](std::string_view name) {
    return session.value_of(attribute_of(name)).value_or("nothing");
  };
  CHECK(value("device") == "tv-1");
  CHECK(value("ip") == "2001:db8:1:2:3:4:5:6");
  CHECK(value("network") == "2001:db8:1:2::");
  CHECK(value("content") == "news");
  CHECK(value("type") == "tv");
  CHECK(value("hd") == "true");
  CHECK(value("n") == "1.5");
  CHECK(value("e") == "nothing");
  CHECK(value("z") == "nothing");
  CHECK(value("Type") == "nothing");

  const Attributes bare("", "not an address", "", "");
  CHECK(bare.value_of(attribute_of("ip")) == "not an address");
  CHECK_FALSE(bare.value_of(attribute_of("network")));
  CHECK_FALSE(bare.value_of(attribute_of("device")));
  CHECK_FALSE(bare.value_of(attribute_of("type")));
  CHECK(Attributes("", "::ffff:192.0.2.1", "", "").value_of(attribute_of("network")) ==
        "192.0.2.1");
  CHECK(Attributes("", "192.0.2.1", "", "[1]").value_of(attribute_of("network")) == "192.0.2.1");
}

TEST_CASE("Numbers for rules, by name") {
  RuleNumbers numbers;
  CHECK(numbers.empty());
  CHECK(numbers.set("tvs", 2));
  CHECK(numbers.set("homes", 0));
  CHECK(numbers.to_text() == "homes=0,tvs=2");
  CHECK(numbers.find("homes") == 0u);
  CHECK_FALSE(numbers.find("live"));
  CHECK(RuleNumbers::parse(numbers.to_text()) == numbers);
  CHECK(numbers.set("tvs", std::nullopt));
  CHECK_FALSE(numbers.find("tvs"));
  CHECK(RuleNumbers::parse("")->empty());
  for (const char* text : {"tvs", "tvs=", "=2", "tvs=x", "tvs=2,", "limit=2", "T=1", "a=-1"}) {
    INFO(text);
    const auto parsed = RuleNumbers::parse(text);
    CHECK_FALSE(parsed.has_value());
  }
  CHECK(RuleNumbers::parse_readable("tvs=2,Bad=1,homes=x,,live=0").to_text() == "live=0,tvs=2");
  RuleNumbers sum;
  sum.set("a", 0xFFFF'FFFF);
  RuleNumbers one;
  one.set("a", 1);
  one.set("b", 1);
  sum.add(one);
  CHECK(sum.find("a") == 0xFFFF'FFFFu);
  CHECK(sum.find("b") == 1u);
  for (int i = 0; i < 80; ++i) sum.set("r" + std::to_string(i), 1);
  CHECK(sum.all().size() == RuleNumbers::kMost);
}
