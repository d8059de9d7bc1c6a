#include "text_table.hpp"

#include <doctest/doctest.h>

#include <string>

namespace concur::cli {
namespace {

using Kind = TextColumn::Kind;

constexpr Terminal kPipe{};

Terminal wide(std::size_t columns) {
  return {.columns = columns, .colours = false, .blocks = false};
}

TextTable names_and_figures() {
  TextTable table;
  table.add({"USER", Kind::kName, {"abc", "a much longer name"}});
  table.add({"STARTS", Kind::kNumber, {"7", "12345"}});
  table.add({"STATE", Kind::kWord, {"ok", "late"}});
  return table;
}

TEST_CASE("TextTable") {
  SUBCASE("aligns columns, numbers at the right, and ends each line at its last text") {
    CHECK(names_and_figures().text(kPipe) ==
          "USER                STARTS  STATE\n"
          "abc                      7  ok\n"
          "a much longer name   12345  late\n");
  }

  SUBCASE("without columns is nothing, without rows its titles") {
    CHECK(TextTable().text(kPipe).empty());
    TextTable table;
    table.add({"USER", Kind::kName});
    CHECK(table.text(kPipe) == "USER\n");
  }

  SUBCASE("without titles has rows alone") {
    TextTable table;
    table.add({"", Kind::kWord, {"limit", "mode"}});
    table.add({"", Kind::kName, {"3", "enforce"}});
    CHECK(table.text(kPipe) == "limit  3\nmode   enforce\n");
  }

  SUBCASE("cuts the widest name until a line fits") {
    CHECK(names_and_figures().text(wide(26)) ==
          "USER         STARTS  STATE\n"
          "abc               7  ok\n"
          "a much lon…   12345  late\n");
  }

  SUBCASE("leaves columns out from the right where cutting is not enough") {
    const std::string text = names_and_figures().text(wide(17));
    CHECK(text.find("STATE") == std::string::npos);
    CHECK(text.find("STARTS") != std::string::npos);
    CHECK(names_and_figures().text(wide(5)) == "USER\nabc\na mu…\n");
  }

  SUBCASE("takes names as wide as a terminal shows them") {
    TextTable table;
    table.add({"USER", Kind::kName, {"日本の視聴者", "abc"}});
    table.add({"N", Kind::kWord, {"1", "2"}});
    CHECK(table.text(kPipe) == "USER          N\n日本の視聴者  1\nabc           2\n");
  }

  SUBCASE("colours cells, and titles bold, where the terminal does") {
    TextTable table;
    table.add({"LEFT", Kind::kWord, {"1m", "2s"}, {Ink::kPlain, Ink::kYellow}});
    CHECK(table.text({.columns = 80, .colours = true, .blocks = false}) ==
          "\x1B[1mLEFT\x1B[0m\n1m\n\x1B[33m2s\x1B[0m\n");
    CHECK(table.text(kPipe) == "LEFT\n1m\n2s\n");
  }

  SUBCASE("draws bars, and shortens and leaves them out before a name is cut") {
    TextTable table;
    table.add({"USER", Kind::kName, {"the first one", "b"}});
    table.add({"", Kind::kBar, {}, {}, {1.0, 0.25}});
    CHECK(table.text(kPipe) == "USER\nthe first one  ####################\nb              #####\n");
    CHECK(table.text(wide(23)) == "USER\nthe first one  ########\nb              ##\n");
    CHECK(table.text(wide(18)) == "USER\nthe first one\nb\n");
  }
}

TEST_CASE("bar") {
  const Terminal blocks{.columns = {}, .colours = false, .blocks = true};
  CHECK(bar(0, 10, kPipe).empty());
  CHECK(bar(0.001, 10, kPipe) == "#");
  CHECK(bar(0.5, 10, kPipe) == "#####");
  CHECK(bar(7, 4, kPipe) == "####");
  CHECK(bar(0, 10, blocks).empty());
  CHECK(bar(0.001, 10, blocks) == "▏");
  CHECK(bar(0.55, 10, blocks) == "█████▌");
  CHECK(bar(1, 2, blocks) == "██");
}

}  // namespace
}  // namespace concur::cli
