#include "api/request_body.hpp"

#include <doctest/doctest.h>

using namespace concur;
using namespace std::chrono_literals;

TEST_CASE("parse_start_body") {
  SUBCASE("no body means no options") {
    CHECK_FALSE(parse_start_body("")->ttl.has_value());
    CHECK(parse_start_body("{}")->details.empty());
  }
  SUBCASE("reads each field") {
    const auto body = parse_start_body(
        R"({"ttl":30.5,"limit":0,"device":"tv","ip":"::1","content":"film é","meta":{"a":"b","n":1,"t":true}})");
    REQUIRE(body.has_value());
    CHECK(body->ttl == 30'500ms);
    CHECK(body->limit == 0);
    CHECK(body->details.device == "tv");
    CHECK(body->details.ip == "::1");
    CHECK(body->details.content == "film é");
    CHECK(body->details.meta == R"({"a":"b","n":1,"t":true})");
    CHECK(parse_start_body(R"({"ttl":"5m"})")->ttl == 5min);
  }
  SUBCASE("says of a body in another encoding that it is no UTF-8") {
    CHECK(parse_start_body("{\"content\":\"caf\xe9\"}").error().message ==
          "cannot read body: it is not UTF-8");
    CHECK(parse_start_body("{\"content\":\"café\"").error().message ==
          "cannot read body: incomplete JSON");
  }
  SUBCASE("reads whom to evict") {
    const auto body = parse_start_body(R"({"onLimit":"evict-oldest","replace":"s1"})");
    CHECK(body->on_limit == OnLimit::kEvictOldest);
    CHECK(body->replace == "s1");
    CHECK(parse_start_body(R"({"onLimit":"deny"})")->on_limit == OnLimit::kDeny);
  }
  SUBCASE("reads which start it repeats") {
    CHECK(parse_start_body(R"({"start":"19abc.7"})")->start == StartToken{0x19ABC, 7});
  }
  SUBCASE("reads for how long it may wait") {
    CHECK(parse_start_body(R"({"wait":2.5})")->wait == 2500ms);
    CHECK(parse_start_body(R"({"wait":"1h"})")->wait == 1h);
    CHECK(parse_start_body(R"({"wait":0})")->wait == 0ms);
    CHECK(parse_start_body(R"({"wait":3600.001})").error().message ==
          "cannot accept field 'wait': it takes 0 (not at all) to 1h");
  }
  SUBCASE("refuses what is not what the field takes") {
    for (const char* text : {"[3]",
                             "\"x\"",
                             "3",
                             "{",
                             "{\"ttl\":90",
                             "{}{}",
                             "{\"ttl\":0}",
                             "{\"ttl\":0.999}",
                             "{\"ttl\":2592001}",
                             "{\"ttl\":-1}",
                             "{\"ttl\":1e300}",
                             "{\"ttl\":\"soon\"}",
                             "{\"wait\":-1}",
                             "{\"wait\":\"2h\"}",
                             "{\"wait\":true}",
                             "{\"limit\":-1}",
                             "{\"limit\":1.5}",
                             "{\"limit\":\"3\"}",
                             "{\"limit\":1000000001}",
                             "{\"limit\":1e99}",
                             "{\"onLimit\":\"evict\"}",
                             "{\"replace\":3}",
                             "{\"replace\":\"a\nb\"}",
                             "{\"device\":3}",
                             "{\"device\":[]}",
                             "{\"device\":{}}",
                             "{\"start\":7}",
                             "{\"start\":[]}",
                             "{\"start\":\"19abc\"}",
                             "{\"start\":\"19ABC.7\"}",
                             "{\"meta\":[1]}",
                             "{\"unknown\":null}",
                             "{\"ttl\":[]}",
                             "{\"device\":\"a\\nb\"}",
                             "{\"content\":\"\\u0085\"}",
                             "{\"ip\":\"\\ud800\"}",
                             "{\"meta\":{\"a\":{}}}",
                             "{\"meta\":{\"a\":1e400}}",
                             "{\"meta\":{\"a\":-1e400}}",
                             "{\"sessionId\":\"x\"}",
                             "{\"ttl\":90,}",
                             "{'ttl':90}",
                             "{\"device\":\"\xff\"}"}) {
      CAPTURE(text);
      const auto body = parse_start_body(text);
      REQUIRE(body.has_error());
      CHECK(body.error().kind == ErrorKind::kInvalid);
      CHECK(body.error().message.starts_with("cannot "));
    }
    CHECK(parse_start_body(std::string(60'000, '[')).has_error());
  }
  SUBCASE("what is null or empty is as absent, [] too where an object belongs") {
    for (
        const char* text :
        {"null", "[]", "\"\"",
         R"({"ttl":null,"limit":null,"onLimit":null,"replace":null,"device":null,"ip":null,"content":null,"meta":null,"start":null,"wait":null})",
         R"({"ttl":"","limit":"","onLimit":"","replace":"","device":"","ip":"","content":"","meta":"","start":"","wait":""})",
         R"({"meta":[]})", R"({"meta":{}})", R"({"meta":{"a":null}})"}) {
      CAPTURE(text);
      const auto body = parse_start_body(text);
      REQUIRE(body.has_value());
      CHECK_FALSE(body->ttl.has_value());
      CHECK_FALSE(body->limit.has_value());
      CHECK_FALSE(body->on_limit.has_value());
      CHECK_FALSE(body->replace.has_value());
      CHECK_FALSE(body->start.has_value());
      CHECK_FALSE(body->wait.has_value());
      CHECK(body->details.empty());
    }
    CHECK(parse_start_body(R"({"meta":{"a":null,"b":""}})")->details.meta == R"({"b":""})");
  }
  SUBCASE("stores an address bare") {
    CHECK(parse_start_body(R"({"ip":"192.0.2.1:5555"})")->details.ip == "192.0.2.1");
    CHECK(parse_start_body(R"({"ip":"2001:DB8::1, 10.0.0.1"})")->details.ip == "2001:db8::1");
    CHECK(parse_start_body(R"({"ip":"upstairs"})")->details.ip == "upstairs");
    CHECK(parse_start_body("{\"ip\":\"" + std::string(300, 'x') + "\"}")->details.ip ==
          std::string(256, 'x'));
  }
  SUBCASE("cuts what is too long") {
    std::string many;
    for (int i = 0; i < 200; ++i) many += "\u00e9";
    const auto with = [](const char* field, const std::string& text) {
      return parse_start_body(std::string("{\"") + field + "\":\"" + text + "\"}")->details;
    };
    CHECK(with("content", "x" + many).content == ("x" + many).substr(0, 255));
    CHECK(with("device", many + "1").device != with("device", many + "2").device);
    CHECK(with("device", many).device.size() <= 256);
  }
  SUBCASE("bounds meta") {
    const auto with = [](int keys, std::size_t bytes) {
      std::string meta;
      for (int i = 0; i < keys; ++i) {
        meta +=
            (i ? "," : "") + ("\"k" + std::to_string(i)) + "\":\"" + std::string(bytes, 'x') + "\"";
      }
      return parse_start_body("{\"meta\":{" + meta + "}}").has_value();
    };
    CHECK(with(16, 40));
    CHECK_FALSE(with(17, 1));
  }
  SUBCASE("cuts the longest texts of meta until it fits") {
    std::string many;
    for (int i = 0; i < 600; ++i) many += "\u00e9";
    const auto meta = [](const std::string& text) {
      return parse_start_body("{\"meta\":" + text + "}")->details.meta;
    };
    const std::string cut = meta(R"({"n":1,"short":"x","long":")" + many + "\"}");
    CHECK(cut.size() <= 1024);
    CHECK(cut.size() > 1020);
    CHECK(cut.starts_with(R"({"n":1,"short":"x","long":")" + many.substr(0, 900)));
    CHECK(cut.ends_with("\u00e9\"}"));
    const std::string three = meta(R"({"a":")" + many + R"(","b":")" + many + R"(","c":"x"})");
    CHECK(three.size() <= 1024);
    CHECK(three.ends_with(R"(,"c":"x"})"));
    std::string written;
    for (int i = 0; i < 3000; ++i) written += "\\n";
    CHECK(meta(R"({"a":")" + written + "\"}").size() == 1024);
    // Keys are not cut.
    CHECK(parse_start_body("{\"meta\":{\"" + std::string(1100, 'k') + "\":1}}").has_error());
  }
  SUBCASE("every cut of a good body is an error") {
    const std::string good = R"({"ttl":90,"meta":{"a":"\u00e9"}})";
    for (std::size_t cut = 1; cut < good.size(); ++cut)
      CHECK(parse_start_body(good.substr(0, cut)).has_error());
    CHECK(parse_start_body(good).has_value());
  }
}

TEST_CASE("parse_heartbeat_body") {
  SUBCASE("reads a lease and a token") {
    const auto body = parse_heartbeat_body(R"({"ttl":"5m","start":"1.2a"})");
    REQUIRE(body.has_value());
    CHECK(body->ttl == 5min);
    CHECK(body->start == StartToken{1, 42});
  }
  SUBCASE("what is null or empty is as absent") {
    for (const char* text :
         {"", "{}", "null", "[]", R"({"ttl":null,"start":null})", R"({"ttl":"","start":""})"}) {
      CAPTURE(text);
      const auto body = parse_heartbeat_body(text);
      REQUIRE(body.has_value());
      CHECK_FALSE(body->ttl.has_value());
      CHECK_FALSE(body->start.has_value());
    }
  }
  SUBCASE("refuses anything else, fields of starts too") {
    for (const char* text :
         {"[1]", "3", "{", R"({"ttl":0})", R"({"ttl":2592001})", R"({"ttl":"soon"})",
          R"({"start":1})", R"({"start":"1"})", R"({"start":"1.2 "})", R"({"device":"tv"})",
          R"({"limit":1})", R"({"ttl":90,"colour":1})", "{\"start\":\"1.\u0000\"}"}) {
      CAPTURE(text);
      const auto body = parse_heartbeat_body(text);
      REQUIRE(body.has_error());
      CHECK(body.error().kind == ErrorKind::kInvalid);
      CHECK(body.error().message.starts_with("cannot "));
    }
    CHECK(parse_heartbeat_body(std::string(60'000, '[')).has_error());
  }
}

TEST_CASE("parse_start_parameter") {
  CHECK_FALSE(parse_start_parameter(std::nullopt)->has_value());
  CHECK_FALSE(parse_start_parameter("")->has_value());
  CHECK(*parse_start_parameter("1.2a") == StartToken{1, 42});
  CHECK(parse_start_parameter("1").error().message ==
        "cannot accept parameter 'start': it takes what the answer to a start has there");
}

TEST_CASE("parse_purge_body") {
  SUBCASE("reads which sessions are meant, as they have it") {
    CHECK(parse_purge_body(R"({"user":"abc"})")->user == "abc");
    CHECK(parse_purge_body(R"({"user":"abc"})")->purge.blocks_anyway);
    CHECK(parse_purge_body(R"({"all":true})")->purge.idle == 0ms);
    const auto body = parse_purge_body(
        R"({"idle":"5m","olderThan":60,"ip":"[2001:DB8::1]:443","device":"tv","content":"film",)"
        R"("meta":{"app":"web","hd":true,"version":2},"dryRun":true})");
    REQUIRE(body.has_value());
    const Purge& purge = body->purge;
    CHECK(purge.idle == 5min);
    CHECK(purge.older_than == 1min);
    CHECK(purge.ip == "2001:db8::1");
    CHECK(purge.device == "tv");
    CHECK(purge.content == "film");
    REQUIRE(purge.meta.size() == 3);
    CHECK(purge.meta[0] == std::pair<std::string, std::string>("app", "web"));
    CHECK(purge.meta[1] == std::pair<std::string, std::string>("hd", "true"));
    CHECK(purge.meta[2] == std::pair<std::string, std::string>("version", "2"));
    CHECK(purge.dry_run);
    CHECK_FALSE(purge.blocks_anyway);
  }
  SUBCASE("reads what else is to be done") {
    const auto body = parse_purge_body(R"({"ip":"::1","block":"2h","message":"Call us."})");
    REQUIRE(body.has_value());
    CHECK(*body->purge.block == 2h);
    CHECK(body->purge.message == "Call us.");
    CHECK_FALSE(parse_purge_body(R"({"ip":"::1","block":null})")->purge.block.has_value());
    CHECK(parse_purge_body(R"({"all":true,"message":"Call us."})").has_value());
  }
  SUBCASE("refuses anything that might mean more than it seems to") {
    for (const char* text : {"",
                             "{}",
                             "[]",
                             R"({"all":false})",
                             R"({"all":null})",
                             R"({"all":true,"user":"a"})",
                             R"({"dryRun":true})",
                             R"({"message":"x"})",
                             R"({"block":"1h"})",
                             R"({"idle":0})",
                             R"({"idle":-5})",
                             R"({"idle":null})",
                             R"({"olderThan":0})",
                             R"({"user":5})",
                             R"({"user":""})",
                             R"({"user":null})",
                             R"({"user":"a","ip":""})",
                             R"({"user":"a","ip":null})",
                             R"({"user":"a","ip":[]})",
                             R"({"device":""})",
                             R"({"device":null,"ip":"::1"})",
                             R"({"content":[]})",
                             R"({"meta":{}})",
                             R"({"meta":null,"ip":"::1"})",
                             R"({"meta":[],"ip":"::1"})",
                             R"({"meta":{"a":null}})",
                             R"({"meta":{"a":{}}})",
                             R"({"all":true,"x":1})",
                             R"({"all":true,"dryRun":1})",
                             R"({"all":true,"block":"1h"})",
                             R"({"ip":"::1","block":0})",
                             R"({"ip":"::1","block":true})",
                             R"({"ip":"::1","message":"a\nb"})",
                             R"({"ip":"::1","message":5})"}) {
      CAPTURE(text);
      CHECK(parse_purge_body(text).has_error());
    }
  }
}

TEST_CASE("parse_block_body") {
  CHECK_FALSE(parse_block_body("")->length.has_value());
  CHECK_FALSE(parse_block_body(" {} ")->length.has_value());
  CHECK_FALSE(parse_block_body(R"({"for":null,"message":""})")->length.has_value());
  CHECK(*parse_block_body(R"({"for":"7d","message":"Call us."})")->length == 7 * 24h);
  CHECK(parse_block_body(R"({"for":1.5,"message":"Call us."})")->message == "Call us.");
  const std::string long_one = R"({"message":")" + std::string(513, 'a') + R"("})";
  for (const std::string_view text :
       {std::string_view("[]"), std::string_view(R"({"for":0})"),
        std::string_view(R"({"for":"4000d"})"), std::string_view(R"({"for":true})"),
        std::string_view(R"({"until":5})"), std::string_view(R"({"message":"a\tb"})"),
        std::string_view(long_one)}) {
    CAPTURE(text);
    CHECK(parse_block_body(text).has_error());
  }
}

TEST_CASE("parse_start_body takes one way to replace") {
  CHECK(parse_start_body(R"({"replaceAll":true})")->replace_all);
  for (const char* text : {R"({"replaceAll":false})", R"({"replaceAll":null})",
                           R"({"replaceAll":""})", R"({"replaceAll":true,"replace":""})"}) {
    CAPTURE(text);
    CHECK(parse_start_body(text).has_value());
  }
  CHECK(parse_start_body(R"({"replaceAll":true,"replace":"s1"})").has_error());
  CHECK(parse_start_body(R"({"replaceAll":1})").has_error());
}

TEST_CASE("set_plan_of knows no plan that is called as none") {
  const auto body = parse_plan_body(R"({"limit":5})");
  CHECK(set_plan_of(*Id::parse("plan", "gold"), *body).has_value());
  CHECK(set_plan_of(*Id::parse("plan", "None"), *body).has_value());
  CHECK(set_plan_of(*Id::parse("plan", "none"), *body).has_error());
  CHECK(set_plan_of(*Id::parse("plan", "default"), *body).has_error());
}

TEST_CASE("parse_limit_body") {
  SUBCASE("reads what is to be set, and what is to be taken away") {
    const auto body = parse_limit_body(R"({"limit":0,"plan":"gold","onLimit":"deny"})");
    REQUIRE(body.has_value());
    CHECK(**body->limit == 0);
    CHECK(**body->plan == "gold");
    CHECK(**body->on_limit == OnLimit::kDeny);
    const auto nothing = parse_limit_body(R"({"limit":null,"plan":null,"onLimit":null})");
    REQUIRE(nothing.has_value());
    CHECK((nothing->limit && !*nothing->limit));
    CHECK((nothing->plan && !*nothing->plan));
    CHECK((nothing->on_limit && !*nothing->on_limit));
    CHECK_FALSE(parse_limit_body(R"({"limit":1})")->plan.has_value());
  }
  SUBCASE("refuses anything else") {
    for (const char* text : {"", "{}", "[]", R"({"limit":-1})", R"({"plan":""})", R"({"plan":1})",
                             R"({"max":3})", R"({"onLimit":"evict"})", R"({"limit":"3"})"}) {
      CAPTURE(text);
      CHECK(parse_limit_body(text).has_error());
    }
  }
}

TEST_CASE("parse_plan_body takes a limit and onLimit") {
  CHECK(**parse_plan_body(R"({"limit":5})")->limit == 5);
  CHECK_FALSE((*parse_plan_body(R"({"onLimit":null})")->on_limit).has_value());
  for (const char* text : {"{}", R"({"limit":null})", R"({"limit":5,"plan":"x"})"}) {
    CAPTURE(text);
    CHECK(parse_plan_body(text).has_error());
  }
}
