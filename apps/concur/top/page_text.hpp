#pragma once

#include "top/snapshot.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace concur::cli {

struct PageLine {
  enum class Style { kPlain, kTitle, kAlarm };
  std::string text{};
  Style style = Style::kPlain;
};

struct PageSize {
  std::size_t rows = 24;
  std::size_t columns = 80;
  bool blocks = false;  // as of Terminal
};

// The snapshot as the lines of a screen: not more, nor wider, than the size says.
std::vector<PageLine> page_of(const Snapshot& snapshot, const PageSize& size, Millis interval);

// The snapshot as one line for who reads no screen.
std::string summary_of(const Snapshot& snapshot);

}  // namespace concur::cli
