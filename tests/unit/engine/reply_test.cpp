#include "engine/reply.hpp"

#include "support/fake_servers.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

using namespace concur;
using namespace concur::test;
using engine::Reply;
using engine::ReplyReader;
using Kind = Reply::Kind;

namespace {

Reply of(Kind kind, std::int64_t number, std::string text = {}, std::vector<Reply> elements = {}) {
  return {kind, number, std::move(text), std::move(elements)};
}

std::vector<Reply> read_all(std::string_view bytes, std::size_t piece = SIZE_MAX) {
  ReplyReader reader;
  std::vector<Reply> replies;
  while (!bytes.empty()) {
    REQUIRE(reader.feed(bytes.substr(0, piece)));
    bytes.remove_prefix(std::min(bytes.size(), piece));
    while (auto reply = reader.next()) replies.push_back(std::move(*reply));
  }
  return replies;
}

// What it says of bytes that it does not take.
std::string failure_of(std::string_view bytes) {
  ReplyReader reader;
  reader.feed(bytes);
  while (reader.next()) {
  }
  return reader.failure();
}

}  // namespace

TEST_CASE("ReplyReader") {
  SUBCASE("gives each kind of reply, whole or split at every byte") {
    const std::string bytes = status("OK") + error("MOVED 1 a:1") + integer(-7) + bulk("a\r\nb") +
                              nil() + bulk("") + "*-1\r\n" + array({}) +
                              array({integer(1), array({bulk("x"), nil()}), status("y")});
    const std::vector<Reply> expected{
        of(Kind::kStatus, 0, "OK"),
        of(Kind::kError, 0, "MOVED 1 a:1"),
        of(Kind::kInteger, -7),
        of(Kind::kText, 0, "a\r\nb"),
        of(Kind::kNil, 0),
        of(Kind::kText, 0),
        of(Kind::kNil, 0),
        of(Kind::kArray, 0),
        of(Kind::kArray, 0, "",
           {of(Kind::kInteger, 1),
            of(Kind::kArray, 0, "", {of(Kind::kText, 0, "x"), of(Kind::kNil, 0)}),
            of(Kind::kStatus, 0, "y")})};
    CHECK(read_all(bytes) == expected);
    for (std::size_t piece = 1; piece < bytes.size(); ++piece) {
      CAPTURE(piece);
      CHECK(read_all(bytes, piece) == expected);
    }
  }
  SUBCASE("reads what fits into no small buffer") {
    const std::string large(std::size_t{4} << 20U, 'x');
    const auto replies = read_all(bulk(large) + integer(1), 65536);
    REQUIRE(replies.size() == 2);
    CHECK(replies[0].text == large);
  }
  SUBCASE("fails at what is no RESP2, and takes no more then") {
    // But for RESP3's "_", which newer versions of hiredis take for nil.
    for (const char* bytes :
         {"x\r\n", "*x\r\n", "$-2\r\n", ":1x\r\n", "*-2\r\n", "\r\n", ",1.5\r\n", "#t\r\n",
          "%1\r\n:1\r\n:2\r\n", "~1\r\n:1\r\n", ">1\r\n:1\r\n", "(12\r\n", "=5\r\ntxt:a\r\n",
          "*1\r\n,1.5\r\n", "*1\r\n#t\r\n", "*99999999999999999999\r\n",
          "$99999999999999999999\r\n"}) {
      CAPTURE(std::string(bytes));
      CHECK_FALSE(failure_of(bytes).empty());
    }
    ReplyReader reader;
    reader.feed("x\r\n");
    CHECK_FALSE(reader.next());
    CHECK_FALSE(reader.feed(integer(1)));
    CHECK_FALSE(reader.next());
  }
  SUBCASE("takes so many elements, nested ones too, and no more") {
    CHECK(failure_of("*262144\r\n").find("RESP2") == std::string::npos);
    CHECK_FALSE(failure_of("*262145\r\n").empty());
    CHECK_FALSE(failure_of("*2147483647\r\n").empty());
    std::string nested = "*600\r\n";
    for (int i = 0; i < 600; ++i) {
      nested += "*600\r\n";
      for (int j = 0; j < 600; ++j) nested += ":1\r\n";
    }
    CHECK(failure_of(nested) == "its answer is too large");
  }
  SUBCASE("takes so many bytes of one reply, and no more") {
    ReplyReader reader;
    REQUIRE(reader.feed("$100000000\r\n"));
    const std::string part(std::size_t{1} << 20U, 'x');
    std::size_t taken = 0;
    while (reader.feed(part) && taken < 100) {
      CHECK_FALSE(reader.next());
      ++taken;
    }
    CHECK(taken == 31);
    CHECK(reader.failure() == "its answer is too large");
  }
  SUBCASE("of many replies the bytes are not added up") {
    ReplyReader reader;
    const std::string part = bulk(std::string(std::size_t{1} << 20U, 'x'));
    for (int i = 0; i < 100; ++i) {
      REQUIRE(reader.feed(part));
      CHECK(reader.next());
    }
  }
  SUBCASE("takes arrays that nest so deep, and no deeper") {
    const auto nested = [](int depth) {
      std::string bytes;
      for (int i = 0; i < depth; ++i) bytes += "*1\r\n";
      return bytes;
    };
    CHECK(read_all(nested(7) + integer(1)).size() == 1);
    CHECK_FALSE(failure_of(nested(8)).empty());
    CHECK_FALSE(failure_of(nested(100'000)).empty());
  }
}

TEST_CASE("append_command") {
  std::string out = "before";
  engine::append_command(out,
                         std::array<std::string_view, 3>{"SET", "", std::string_view("a\0b", 3)});
  CHECK(out == std::string("before*3\r\n$3\r\nSET\r\n$0\r\n\r\n$3\r\na\0b\r\n", 34));
}
