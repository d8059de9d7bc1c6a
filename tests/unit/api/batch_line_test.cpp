#include "api/batch_line.hpp"

#include <doctest/doctest.h>

using namespace concur;
using namespace std::chrono_literals;

TEST_CASE("parse_batch_line") {
  BatchLine line;
  const auto trouble = [&line](std::string_view text) {
    const auto read = parse_batch_line(text, 7, line);
    return read ? std::string() : read.error().message;
  };

  SUBCASE("reads a command, its names and what is told with it") {
    REQUIRE(parse_batch_line(
                R"({"ttl":60,"session":"s","user":"u","command":"start","device":"tv"})", 1, line)
                .has_value());
    CHECK(line.command == BatchCommand::kStart);
    CHECK(line.user == "u");
    CHECK(line.session == "s");
    REQUIRE(line.body.has_value());
    CHECK(line.body->ttl == Millis(60'000));
    CHECK(line.body->details.device == "tv");
  }
  SUBCASE("reads plain lines as a parser of JSON does") {
    const auto read = [&line, &trouble](std::string_view text) {
      CHECK(trouble(text).empty());
      return line.user + '|' + line.session;
    };
    CHECK(read(R"({"command":"end","user":"u","session":"s"})") == "u|s");
    CHECK(line.command == BatchCommand::kEnd);
    CHECK(read(R"( { "session" : "s" , "command" : "heartbeat" } )") == "|s");
    CHECK(line.command == BatchCommand::kHeartbeat);
    CHECK(read("{\"command\":\"start\",\t\"user\":\"u\"}\r") == "u|");
    CHECK(line.command == BatchCommand::kStart);
    CHECK(read(R"({"command":"end","user":"a\"b","session":"\u0063"})") == "a\"b|c");
    CHECK(read(R"({"command":"end","user":"é","session":""})") == "é|");
    CHECK(read(R"({"command":"end","user":"u","user":"v"})") == "v|");
    CHECK(read(R"({"command":"end","\u0075ser":"u"})") == "u|");
    for (const char* text : {R"({"command":"end","user":"u")", R"({"command":"end","user":"u"}})",
                             R"({"command":"end",})", R"({"command":"end" "user":"u"})",
                             R"({"command":"end","user":"u)", R"({"command":"end"}x)",
                             R"(,"command":"end"})", "{\"command\":\"end\",\"user\":\"a\tb\"}"}) {
      CAPTURE(text);
      CHECK(trouble(text).starts_with("cannot read line 7: "));
    }
  }
  SUBCASE("keeps nothing of the line before") {
    REQUIRE(parse_batch_line(R"({"command":"start","user":"u","session":"s","ip":"::1"})", 1, line)
                .has_value());
    REQUIRE(parse_batch_line(R"({"command":"heartbeat","user":"v"})", 2, line).has_value());
    CHECK(line.command == BatchCommand::kHeartbeat);
    CHECK(line.session.empty());
    CHECK_FALSE(line.body.has_value());
  }
  SUBCASE("says that nothing waits") {
    CHECK(
        trouble(R"({"command":"start","user":"u","session":"s","wait":3})") ==
        "cannot accept field 'wait': it is not for batches, whose commands are answered in order");
    CHECK(trouble(R"({"command":"start","user":"u","session":"s","wait":null})").empty());
    CHECK(trouble(R"({"command":"heartbeat","user":"u","session":"s","wait":3})")
              .starts_with("cannot accept field 'wait'"));
  }
  SUBCASE("says which line cannot be read, or which field") {
    CHECK(trouble("oops").starts_with("cannot read line 7: "));
    CHECK(trouble("[]") == "cannot read line 7: it takes a JSON object");
    CHECK(
        trouble("{}") ==
        "cannot read line 7: its command is start, heartbeat, end, limit, plan, block or unblock");
    CHECK(
        trouble(R"({"command":1})") ==
        "cannot read line 7: its command is start, heartbeat, end, limit, plan, block or unblock");
    CHECK(trouble(R"({"command":"end","user":null})") ==
          "cannot accept field 'user': it takes text");
    CHECK(trouble(R"({"command":"end","colour":1})") ==
          "cannot accept field 'colour': it is not known");
    CHECK(trouble(R"({"command":"end","device":"tv"})") ==
          "cannot accept field 'device': it is for starts alone");
    CHECK(trouble(R"({"command":"heartbeat","device":"tv"})") ==
          "cannot accept field 'device': it is for starts alone");
    CHECK(trouble(R"({"command":"end","ttl":9})") ==
          "cannot accept field 'ttl': it is for starts and heartbeats alone");
    CHECK(trouble(R"({"command":"end","user":"u","session":"s","start":"1.x"})") ==
          "cannot accept field 'start': it takes what the answer to a start has there");
  }
  SUBCASE("reads the lease of a heartbeat, and the token of each command, plain or not") {
    for (const char* text :
         {R"({"command":"heartbeat","user":"u","session":"s","start":"1.2a"})",
          R"({"command":"heartbeat","user":"u","session":"s","start":"1\u002e2a","ttl":9})",
          R"({"command":"end","user":"u","start":"1.2a","session":"s"})",
          R"({"command":"end","user":"u","start":"1\u002e2a","session":"s"})",
          R"({"start":"1.2a","command":"start","user":"u","session":"s"})",
          R"({"command":"start","user":"u","session":"s","start":"1.2a","device":"tv"})"}) {
      CAPTURE(text);
      CHECK(trouble(text).empty());
      CHECK(line.session == "s");
      REQUIRE(line.body.has_value());
      CHECK(line.body->start == StartToken{1, 42});
      const bool has_ttl = std::string_view(text).find("ttl") != std::string_view::npos;
      CHECK(line.body->ttl == (has_ttl ? std::optional<Millis>(9s) : std::nullopt));
    }
    CHECK(trouble(R"({"command":"end","user":"u","session":"s","start":""})").empty());
    CHECK_FALSE(line.body->start.has_value());
  }
}

TEST_CASE("parse_batch_line reads what operators set") {
  BatchLine line;
  const auto read = [&line](std::string_view text) {
    const auto done = parse_batch_line(text, 1, line);
    return done ? std::string() : done.error().message;
  };
  SUBCASE("limits, as the body of the route has them") {
    CHECK(read(R"({"command":"limit","user":"u","limit":5,"plan":"gold","onLimit":null})").empty());
    CHECK(line.command == BatchCommand::kLimit);
    CHECK(line.user == "u");
    CHECK(**line.rule.limit == 5);
    CHECK(**line.rule.plan == "gold");
    CHECK_FALSE((*line.rule.on_limit).has_value());
  }
  SUBCASE("plans, blocks and their end") {
    CHECK(read(R"({"command":"plan","plan":"gold","limit":5})").empty());
    CHECK(line.plan == "gold");
    CHECK(**line.rule.limit == 5);
    CHECK(read(R"({"command":"block","user":"u","for":"7d","message":"Call us."})").empty());
    CHECK(*line.block.length == 7 * 24h);
    CHECK(line.block.message == "Call us.");
    CHECK(line.plan.empty());
    CHECK(read(R"({"command":"block","user":"u"})").empty());
    CHECK_FALSE(line.block.length.has_value());
    CHECK(line.block.message.empty());
    CHECK(read(R"({"command":"unblock","user":"u"})").empty());
  }
  SUBCASE("an end's message, and none of the line before") {
    CHECK(read(R"({"command":"end","user":"u","session":"s","message":"Bye."})").empty());
    CHECK(line.message == "Bye.");
    CHECK(read(R"({"command":"end","user":"u","session":"s"})").empty());
    CHECK(line.message.empty());
  }
  SUBCASE("and refuses what does not go with the command") {
    for (const char* text :
         {R"({"command":"limit","user":"u"})",
          R"({"command":"limit","user":"u","session":"s","limit":1})",
          R"({"command":"limit","user":"u","max":5})", R"({"command":"plan","plan":"gold"})",
          R"({"command":"plan","plan":"gold","limit":null})",
          R"({"command":"plan","user":"u","plan":"gold","limit":1})",
          R"({"command":"block","user":"u","for":0})", R"({"command":"block","user":"u","ttl":5})",
          R"({"command":"unblock","user":"u","for":"1h"})",
          R"({"command":"start","user":"u","session":"s","message":"x"})",
          R"({"command":"start","user":"u","session":"s","replace":"a","replaceAll":true})",
          R"({"command":"end","user":"u","session":"s","message":"a\nb"})"}) {
      CAPTURE(text);
      CHECK_FALSE(read(text).empty());
    }
  }
}
