#include "text_table.hpp"

#include <algorithm>
#include <array>
#include <tuple>

namespace concur::cli {

namespace {

using Kind = TextColumn::Kind;

constexpr std::string_view kGap = "  ";
constexpr std::size_t kMinNameWidth = 8;  // what a column of names is cut to
constexpr std::size_t kMinBarWidth = 4;
constexpr std::size_t kMaxBarWidth = 20;
constexpr std::string_view kBold = "\x1B[1m";
constexpr std::string_view kPlain = "\x1B[0m";

std::string_view sequence_of(Ink ink) {
  switch (ink) {
    case Ink::kPlain:
      return "";
    case Ink::kYellow:
      return "\x1B[33m";
    case Ink::kRed:
      return "\x1B[31m";
  }
  return "";
}

std::size_t full_width(const TextColumn& column) {
  if (column.kind == Kind::kBar) return kMaxBarWidth;
  std::size_t width = columns_of(column.title);
  for (const std::string& cell : column.cells) width = std::max(width, columns_of(cell));
  return width;
}

// A column's place in a line that is being fitted.
struct Place {
  const TextColumn* column;
  std::size_t width;

  Kind kind() const { return column->kind; }
  std::size_t narrowest() const {
    if (kind() == Kind::kName) return std::min(width, kMinNameWidth);
    return kind() == Kind::kBar ? std::min(width, kMinBarWidth) : width;
  }
  bool can_give() const { return width > narrowest(); }
};

// A bar only repeats a figure: it goes before anything of a name is cut.
void fit(std::vector<Place>& places, std::size_t room) {
  const auto total = [&places] {
    std::size_t sum = kGap.size() * (places.size() - 1);
    for (const Place& place : places) sum += place.width;
    return sum;
  };
  const auto is_bar = [](const Place& place) { return place.kind() == Kind::kBar; };
  const auto gives_less = [is_bar](const Place& a, const Place& b) {
    return std::tuple(a.can_give(), is_bar(a), a.width) <
           std::tuple(b.can_give(), is_bar(b), b.width);
  };
  while (total() > room) {
    const auto widest = std::ranges::max_element(places, gives_less);
    const auto some_bar = std::ranges::find_if(places, is_bar);
    if (widest->can_give() && (is_bar(*widest) || some_bar == places.end())) {
      --widest->width;
    } else if (some_bar != places.end() && places.size() > 1) {
      places.erase(some_bar);
    } else if (places.size() > 1) {
      places.pop_back();
    } else {
      places[0].width = room;
    }
  }
}

void append_cell(std::string& out, const Place& place, std::string_view text,
                 std::string_view colour, bool last) {
  const std::string shown = shortened(text, place.width);
  const std::size_t rest = place.width - columns_of(shown);
  if (shown.empty()) colour = {};
  if (place.kind() == Kind::kNumber) out.append(rest, ' ');
  out += colour;
  out += shown;
  if (!colour.empty()) out += kPlain;
  if (last) return;
  if (place.kind() != Kind::kNumber) out.append(rest, ' ');
  out += kGap;
}

// A row ends where its last text does.
void end_line(std::string& out) {
  out.erase(out.find_last_not_of(' ') + 1);
  out += '\n';
}

void append_row(std::string& out, const std::vector<Place>& places, std::size_t row,
                const Terminal& terminal) {
  for (const Place& place : places) {
    const TextColumn& column = *place.column;
    const bool last = &place == &places.back();
    if (column.kind == Kind::kBar) {
      append_cell(out, place, bar(column.shares[row], place.width, terminal), "", last);
      continue;
    }
    const Ink ink = column.inks.empty() ? Ink::kPlain : column.inks[row];
    append_cell(out, place, column.cells[row], terminal.colours ? sequence_of(ink) : "", last);
  }
  end_line(out);
}

}  // namespace

std::string TextTable::text(const Terminal& terminal) const {
  if (columns_.empty()) return {};
  std::vector<Place> places;
  std::size_t rows = 0;
  bool has_titles = false;
  for (const TextColumn& column : columns_) {
    places.push_back({&column, full_width(column)});
    rows = std::max({rows, column.cells.size(), column.shares.size()});
    has_titles = has_titles || !column.title.empty();
  }
  if (terminal.columns) fit(places, *terminal.columns);

  std::string out;
  if (has_titles) {
    for (const Place& place : places) {
      append_cell(out, place, place.column->title, terminal.colours ? kBold : "",
                  &place == &places.back());
    }
    end_line(out);
  }
  for (std::size_t row = 0; row < rows; ++row) append_row(out, places, row, terminal);
  return out;
}

std::string bar(double share, std::size_t width, const Terminal& terminal) {
  constexpr std::array<std::string_view, 8> kEighths{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const double full = std::clamp(share, 0.0, 1.0) * static_cast<double>(width);
  const auto marks = [full](double parts) {
    // Rounded by hand: lround(3) would load the mathematics library into every concur.
    const auto rounded = static_cast<std::size_t>(2 * full * parts + 1) / 2;
    return full > 0 ? std::max(std::size_t{1}, rounded) : std::size_t{0};
  };
  if (!terminal.blocks) return std::string(marks(1), '#');
  const std::size_t eighths = marks(8);
  std::string out;
  for (std::size_t i = 0; i < eighths / 8; ++i) out += "█";
  return out.append(kEighths[eighths % 8]);
}

}  // namespace concur::cli
