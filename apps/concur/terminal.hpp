#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace concur::cli {

// Standard output as a person sees it.
struct Terminal {
  std::optional<std::size_t> columns;  // none where it is no terminal: lines may have any length
  bool colours = false;
  bool blocks = false;  // block characters for bars; with any output, by the locale's encoding

  // COLUMNS goes before what the terminal itself says, as for ls(1). No colours with NO_COLOR
  // (no-color.org) or where TERM is dumb.
  static Terminal of_output();
};

// How many columns the UTF-8 text takes: 2 for what East Asian scripts and emoji fill, 0 for what
// combines with the character before it.
std::size_t columns_of(std::string_view text);

// Well-formed text in which nothing can move the cursor or turn the direction of what follows: such
// characters become U+FFFD.
std::string printable(std::string_view text);

// At most `columns` wide; where something is left out the last column shows it as U+2026.
std::string shortened(std::string_view text, std::size_t columns);

}  // namespace concur::cli
