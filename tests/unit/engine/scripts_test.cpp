#include "engine/scripts.hpp"

#include "support/fake_servers.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace concur;
using namespace concur::test;
using namespace concur::engine;

namespace {

Reply reply_of(const std::string& bytes) {
  ReplyReader reader;
  REQUIRE(reader.feed(bytes));
  return reader.next().value();
}

std::optional<ChangeOutcome> change_of(const std::string& bytes) {
  Reply reply = reply_of(bytes);
  return parse_change(reply);
}

std::optional<ReadOutcome> read_of(const std::string& bytes) {
  Reply reply = reply_of(bytes);
  return parse_read(reply);
}

}  // namespace

TEST_CASE("source_of") {
  SUBCASE("declares what each script is allowed to do") {
    CHECK(source_of(Script::kChange).starts_with("#!lua\n"));
    CHECK(source_of(Script::kChangeDespiteFull).starts_with("#!lua flags=allow-oom\n"));
    CHECK(source_of(Script::kRead).starts_with("#!lua flags=no-writes\n"));
    CHECK(source_of(Script::kReadAsPrimary).starts_with("#!lua flags=allow-oom\n"));
  }
}

TEST_CASE("arguments_of") {
  SUBCASE("counts fields by kind, and has those with values first") {
    const Change change{.key = "k",
                        .guards = {{"absent", std::nullopt}, {"v", "old"}},
                        .fields = {{"gone", std::nullopt}, {"v", "new"}, {"empty", ""}},
                        .not_after = WallTime(Millis(1234)),
                        .expiry = {Expiry::Kind::kProlong, Millis(5000)}};
    CHECK(arguments_of(change) == std::vector<std::string>{"1234", "3", "5000", "1", "1", "2", "1",
                                                           "v", "old", "absent", "v", "new",
                                                           "empty", "", "gone"});
  }
  SUBCASE("of a change of nothing are numbers alone") {
    CHECK(arguments_of(Change{.key = "k", .guards = {}, .fields = {}}) ==
          std::vector<std::string>(7, "0"));
  }
}

TEST_CASE("parse_change") {
  SUBCASE("takes each of the script's answers") {
    const auto done = change_of(applied(77));
    REQUIRE(done.has_value());
    CHECK(done->result == ChangeOutcome::Result::kApplied);
    CHECK(done->now == WallTime(Millis(77)));
    const auto refused = change_of(guarded({"v", "1", "s", ""}));
    REQUIRE(refused.has_value());
    CHECK(refused->result == ChangeOutcome::Result::kGuarded);
    CHECK(refused->fields == Fields{{"v", "1"}, {"s", ""}});
    CHECK(change_of(guarded({}))->fields.empty());
    CHECK(change_of(late())->result == ChangeOutcome::Result::kLate);
  }
  SUBCASE("takes nothing else") {
    for (const std::string& bytes :
         {status("OK"), integer(0), nil(), array({}), array({integer(0)}),
          array({integer(3), integer(1)}), array({integer(-1), integer(1)}),
          array({bulk("0"), integer(1)}), array({integer(0), bulk("1")}), applied(0), applied(-1),
          applied(9'000'000'000'000'000), array({integer(0), integer(1), array({})}),
          array({integer(1), integer(1)}), array({integer(1), integer(1), bulk("x")}),
          array({integer(1), integer(1), array({bulk("odd")})}),
          array({integer(1), integer(1), array({bulk("v"), integer(1)})}),
          array({integer(1), integer(1), array({nil(), bulk("v")})})}) {
      CAPTURE(bytes);
      CHECK_FALSE(change_of(bytes).has_value());
    }
  }
}

TEST_CASE("parse_read") {
  SUBCASE("takes the script's answer, and nothing else") {
    const auto read = read_of(found({"v", "1"}, 5));
    REQUIRE(read.has_value());
    CHECK(read->available);
    CHECK(read->now == WallTime(Millis(5)));
    CHECK(read->fields == Fields{{"v", "1"}});
    for (const std::string& bytes :
         {status("OK"), array({integer(1)}), array({integer(1), integer(1)}),
          array({bulk("1"), array({})}), array({integer(1), array({bulk("odd")})}),
          array({integer(1), array({}), integer(1)}), array({integer(0), array({})})}) {
      CAPTURE(bytes);
      CHECK_FALSE(read_of(bytes).has_value());
    }
  }
}
