#include "rules/rule_text.hpp"

#include "rules/rule_set.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

using namespace concur;

namespace {

Rule good(const std::string& text) {
  auto rule = parse_rule("r", text);
  INFO(text, ": ", rule ? "" : rule.error().message);
  REQUIRE(rule.has_value());
  return *rule;
}

std::string why_not(const std::string& text) {
  const auto rule = parse_rule("r", text);
  INFO(text);
  REQUIRE(rule.has_error());
  CHECK(rule.error().kind == ErrorKind::kInvalid);
  return rule.error().message;
}

}  // namespace

TEST_CASE("A rule says what it counts, for whom, and what happens") {
  const Rule tvs = good("max 1 sessions where type=tv,console");
  CHECK(tvs.kind == Rule::Kind::kSessions);
  CHECK(tvs.max == 1);
  REQUIRE(tvs.where.size() == 1);
  CHECK(tvs.where[0].attribute == Attribute{Attribute::Kind::kMeta, "type"});
  CHECK(tvs.where[0].values == std::vector<Term::Value>{{"tv"}, {"console"}});

  const Rule homes = good("max 2 distinct network");
  CHECK(homes.kind == Rule::Kind::kDistinct);
  CHECK(homes.distinct.kind == Attribute::Kind::kNetwork);

  const Rule live = good(
      "max 2 sessions per type,content where kind=live and app!=legacy* on-limit evict-oldest");
  CHECK(live.per.size() == 2);
  CHECK(live.where[1].is_not);
  CHECK(live.where[1].values[0].is_beginning);
  CHECK(live.on_limit == OnLimit::kEvictOldest);

  CHECK(good("forbid where app=legacy*").kind == Rule::Kind::kForbid);
  CHECK(good("forbid").where.empty());
}

TEST_CASE("Spaces, quotes and stars in a rule") {
  const Rule rule =
      good("  max 3   session where \"screen size\" = \"4 k\" , 8k and \"a=b\"!=\"x\\\"y\\\\\\*\"");
  CHECK(rule.where[0].attribute.key == "screen size");
  CHECK(rule.where[0].values == std::vector<Term::Value>{{"4 k"}, {"8k"}});
  CHECK(rule.where[1].attribute.key == "a=b");
  CHECK(rule.where[1].values == std::vector<Term::Value>{{"x\"y\\*"}});
  CHECK(good("forbid where app=\"old app*\"").where[0].values[0] == Term::Value{"old app", true});
  CHECK(good("forbid where app=*").where[0].values[0] == Term::Value{"*", false});
}

TEST_CASE("A rule that cannot be read says what was expected, and where") {
  CHECK(why_not("") == "it takes 'max' or 'forbid' at its end");
  CHECK(why_not("min 3 sessions") == "it takes 'max' or 'forbid' where it has 'min'");
  CHECK(why_not("max sessions") ==
        "it takes a whole number from 1 to 1000000000 where it has 'sessions'");
  CHECK(why_not("max 0 sessions") == "a rule of 0 refuses all: write 'forbid'");
  CHECK(why_not("max 2") == "it takes 'sessions' or 'distinct' at its end");
  CHECK(why_not("max 2 streams") == "it takes 'sessions' or 'distinct' where it has 'streams'");
  CHECK(why_not("max 2 distinct") == "it takes an attribute at its end");
  CHECK(why_not("max 2 sessions where type") == "it takes = or != behind type at its end");
  CHECK(why_not("max 2 sessions where type=") == "it takes a value at its end");
  CHECK(why_not("max 2 sessions where type=tv,") == "it takes a value at its end");
  CHECK(why_not("max 2 sessions where type=tv and") == "it takes an attribute at its end");
  CHECK(why_not("max 2 sessions on-limit evict") ==
        "it takes deny, evict-oldest or evict-newest where it has 'evict'");
  CHECK(why_not("max 2 sessions per type per kind") ==
        "it takes 'per', 'where', 'on-limit' or nothing where it has 'per'");
  CHECK(why_not("max 2 sessions per type,type") == "'per' has type twice");
  CHECK(why_not("forbid on-limit deny") == "it takes 'where' or nothing where it has 'on-limit'");
  CHECK(why_not("forbid where a=\"b") == "a quote is not closed");
  CHECK(why_not("forbid where a=\"\"") == "there is nothing in the quotes");
  CHECK(why_not("forbid where a!b") == "a '!' stands before a '=' only");
  CHECK(why_not("forbid where a=\xff") == "it takes UTF-8 without control characters");
  CHECK(why_not("max 99999999999 sessions") ==
        "it takes a whole number from 1 to 1000000000 where it has '99999999999'");
}

TEST_CASE("A rule's name") {
  for (const char* name : {"tvs", "a", "no-old-app-2", "0"}) CHECK(is_rule_name(name));
  CHECK(is_rule_name(std::string(32, 'a')));
  for (const char* name : {"", "limit", "Tvs", "a b", "a_b", "ä"}) CHECK_FALSE(is_rule_name(name));
  CHECK_FALSE(is_rule_name(std::string(33, 'a')));
  CHECK(parse_rule("limit", "forbid").has_error());
}

TEST_CASE("A rule as text is the same rule") {
  const std::vector<std::string> words = {"a", "type", "device", "network", "4 k", "x\"",     "y\\",
                                          "*", "a,b",  "=",      "and",     "per", "\xc3\xa4"};
  std::mt19937 random(7);
  const auto pick = [&](std::size_t below) { return random() % below; };
  for (int i = 0; i < 20'000; ++i) {
    Rule rule;
    rule.name = "r";
    rule.kind = static_cast<Rule::Kind>(pick(3));
    const bool counts = rule.kind != Rule::Kind::kForbid;
    if (counts) rule.max = 1 + static_cast<std::uint32_t>(pick(9));
    if (rule.kind == Rule::Kind::kDistinct) rule.distinct = attribute_of(words[pick(words.size())]);
    for (std::size_t n = counts ? pick(3) : 0; n > 0; --n) {
      const Attribute attribute = attribute_of(words[pick(words.size())]);
      if (std::ranges::count(rule.per, attribute) == 0) rule.per.push_back(attribute);
    }
    for (std::size_t n = pick(3); n > 0; --n) {
      Term term{attribute_of(words[pick(words.size())]), pick(2) == 0, {}};
      for (std::size_t v = 1 + pick(2); v > 0; --v) {
        term.values.push_back({words[pick(words.size())], pick(3) == 0});
      }
      rule.where.push_back(term);
    }
    if (counts && pick(2) == 0) rule.on_limit = static_cast<OnLimit>(pick(3));
    const std::string text = to_text(rule);
    INFO(text);
    CHECK(good(text) == rule);
  }
}

TEST_CASE("What a rule means, as a sentence") {
  CHECK(sentence_of(good("max 1 sessions where type=tv,console")) ==
        "at most 1 session where type is 'tv' or 'console' at once; a start beyond that is treated "
        "as one above the plain limit");
  CHECK(sentence_of(good("max 2 distinct network on-limit evict-oldest")) ==
        "at most 2 different values of network at once; a start beyond that ends the "
        "oldest of them");
  CHECK(sentence_of(good("forbid where app=legacy*")) ==
        "no session may start where app is something that begins with 'legacy'");
}

TEST_CASE("The value of the setting limit") {
  const auto good_limit = [](const std::string& text) {
    const auto limit = parse_limit(text);
    INFO(text);
    REQUIRE(limit.has_value());
    return *limit;
  };
  CHECK(good_limit("3").limit == 3);
  CHECK_FALSE(good_limit("3").counts);
  CHECK(good_limit("0").limit == kUnlimited);
  CHECK_FALSE(good_limit("5 sessions").counts);
  CHECK(good_limit("3 distinct device").counts == Attribute::Kind::kDevice);
  CHECK(good_limit("2  distinct network").counts == Attribute::Kind::kNetwork);
  CHECK(to_text(good_limit("2 distinct content")) == "2 distinct content");
  for (const char* text :
       {"", "3 ", " 3", "-1", "three", "3 distinct", "3 distinct ip", "3 distinct type",
        "3 devices", "3 distinct device per content", "1000000001", "0x3"}) {
    INFO(text);
    CHECK(parse_limit(text).has_error());
  }
}

TEST_CASE("A set of rules: doubts about what is legal and surely a mistake") {
  const auto doubts_of = [](std::vector<std::pair<std::string, std::string>> rules,
                            std::uint32_t limit = 3) {
    RuleSet set;
    for (const auto& [name, text] : rules) REQUIRE(set.add(*parse_rule(name, text)).has_value());
    return set.doubts(limit);
  };
  CHECK(doubts_of({{"tvs", "max 1 sessions where type=tv"}}).empty());
  CHECK(doubts_of({{"a", "max 1 sessions where type=tv and type=phone"}}).size() == 1);
  CHECK(doubts_of({{"a", "max 1 sessions where type=tv and type!=tv"}}).size() == 1);
  CHECK(doubts_of({{"a", "max 1 sessions where type=t* and type!=tv"}}).empty());
  CHECK(doubts_of({{"a", "max 1 sessions where type=tv* and type=t*"}}).empty());
  CHECK(doubts_of({{"a", "max 1 sessions where type=t* and type=tv"}}).empty());
  CHECK(doubts_of({{"a", "max 3 sessions where type=tv"}}).size() == 1);
  CHECK(doubts_of({{"a", "max 3 sessions where type=tv"}}, kUnlimited).empty());
  CHECK(doubts_of({{"a", "max 1 distinct device per device"}}).size() == 1);
  CHECK(doubts_of({{"a", "max 1 distinct devices"}}).size() == 1);
  CHECK(doubts_of({{"a", "max 1 sessions per adress"}}).empty());
  CHECK(doubts_of({{"a", "max 1 distinct network"}, {"b", "max 1 distinct network"}}).size() == 1);
  CHECK(doubts_of({{"a", "forbid where type=tv"}, {"b", "max 1 sessions where type=tv"}}).size() ==
        1);
}

TEST_CASE("A set of rules has each name once, and no more than 32") {
  RuleSet set;
  for (std::size_t i = 0; i < kMaxRules; ++i) {
    REQUIRE(set.add(*parse_rule("r" + std::to_string(i), "forbid")).has_value());
  }
  CHECK(set.add(*parse_rule("r3", "forbid")).error().message == "there is a rule r3 already");
  CHECK(set.add(*parse_rule("more", "forbid")).error().message == "there are 32 rules already");
  CHECK(set.find("r3") != nullptr);
  CHECK(set.find("r32") == nullptr);
}
