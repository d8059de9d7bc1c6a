#include "api/json_writer.hpp"

#include <doctest/doctest.h>

using namespace concur;
using namespace std::chrono_literals;

namespace {

std::string seconds(Millis of) {
  char room[kMaxSecondsSize];
  return {room, put_seconds(room, of)};
}

}  // namespace

TEST_CASE("put_seconds is exact and short") {
  CHECK(seconds(30s) == "30");
  CHECK(seconds(41'200ms) == "41.2");
  CHECK(seconds(333ms) == "0.333");
  CHECK(seconds(0ms) == "0");
  CHECK(seconds(100s) == "100");
  CHECK(seconds(-1'050ms) == "-1.05");
  CHECK(seconds(Millis::max()) == "9223372036854775.807");
  CHECK(seconds(Millis::min()) == "-9223372036854775.808");
}

TEST_CASE("JsonWriter") {
  std::string out;
  JsonWriter json(out);
  json.begin_object().field("a", 1).field("b", true).field("c", "x").field("d", 90s);
  json.key("e")
      .begin_array()
      .value(1)
      .value(std::uint64_t{2})
      .begin_object()
      .end_object()
      .end_array();
  json.key("f").raw("{\"x\":1}").field("g", WallTime(Millis(0))).field("h", 0.5).end_object();
  json.end_line();
  CHECK(
      out ==
      R"({"a":1,"b":true,"c":"x","d":90,"e":[1,2,{}],"f":{"x":1},"g":"1970-01-01T00:00:00.000Z","h":0.50})"
      "\n");
}

TEST_CASE("JsonWriter writes what is longer than its own room, piece by piece and at once") {
  const std::string many(300, 'x');
  const std::string long_one(2000, 'y');
  std::string out = "before:";
  {
    JsonWriter json(out);
    json.begin_array();
    for (int i = 0; i < 6; ++i) json.value(many).value(i);
    json.value(long_one).value(many + '"').raw(long_one).end_array();
  }
  std::string expected = "before:[";
  for (int i = 0; i < 6; ++i) expected += '"' + many + "\"," + std::to_string(i) + ',';
  expected += '"' + long_one + "\",\"" + many + "\\\"\"," + long_one + ']';
  CHECK(out == expected);
}
