#pragma once

#include "terminal.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace concur::cli {

enum class Ink { kPlain, kYellow, kRed };

// One column of a table. Cells and shares are printable already, and as many as the table has rows.
struct TextColumn {
  enum class Kind {
    kName,    // cut where the terminal is too narrow
    kWord,    // never cut
    kNumber,  // never cut, and ends at the right
    kBar,     // as wide as there is room; drawn from shares, it has no cells
  };

  std::string_view title;
  Kind kind = Kind::kName;
  std::vector<std::string> cells{};
  std::vector<Ink> inks{};       // of the cells; empty: all are plain
  std::vector<double> shares{};  // 0 to 1
};

// Text in aligned columns, as a terminal shows it.
class TextTable {
 public:
  void add(TextColumn column) { columns_.push_back(std::move(column)); }

  // The titles, where there are any, and then a line a row. On a terminal bars and then the widest
  // names are cut until a line fits, and where even that is not enough columns are left out from
  // the right.
  std::string text(const Terminal& terminal) const;

 private:
  std::vector<TextColumn> columns_;
};

// `width` columns at most, for a share of 0 to 1: in eighths of a column where the terminal shows
// block characters, else of whole '#'. Only nothing at all has no mark.
std::string bar(double share, std::size_t width, const Terminal& terminal);

}  // namespace concur::cli
