#include "table.hpp"

#include <fmt/format.h>
#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <optional>
#include <tuple>

namespace concur::cli {

namespace {

namespace json = boost::json;

constexpr std::string_view kGap = "  ";
constexpr std::size_t kNarrowest = 8;  // what a column of names is cut to
constexpr std::string_view kBold = "\x1B[1m";
constexpr std::string_view kYellow = "\x1B[33m";
constexpr std::string_view kPlain = "\x1B[0m";

constexpr std::array<const char*, 4> kDetailNames{"device", "ip", "content", "meta"};
constexpr std::array<const char*, 4> kDetailTitles{"DEVICE", "IP", "CONTENT", "META"};

enum class Kind { kName, kTime, kTimeLeft };

struct Column {
  std::string_view title;
  Kind kind = Kind::kName;
  std::vector<std::string> cells;
  std::size_t width = 0;
};

// `2026-11-23T16:00:00.000Z`, the one form that the daemon writes.
std::optional<WallTime> read_utc(std::string_view text) {
  using namespace std::chrono;
  constexpr std::string_view kForm = "0000-00-00T00:00:00.000Z";
  if (text.size() != kForm.size()) return std::nullopt;
  std::array<int, 7> fields{};
  std::size_t field = 0;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    if (kForm[i] != '0') {
      if (text[i] != kForm[i]) return std::nullopt;
      ++field;
      continue;
    }
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    fields[field] = fields[field] * 10 + (text[i] - '0');
  }
  const auto [year_, month_, day_, hour, minute, second, millis] = fields;
  const year_month_day date(year(year_), month(static_cast<unsigned>(month_)),
                            day(static_cast<unsigned>(day_)));
  if (!date.ok()) return std::nullopt;
  return WallTime(sys_days(date)) + hours(hour) + minutes(minute) + seconds(second) +
         Millis(millis);
}

std::optional<std::string> text_of(const json::object& members, std::string_view name) {
  const json::value* value = members.if_contains(name);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return printable(value->as_string());
}

std::optional<WallTime> time_of(const json::object& members, std::string_view name) {
  const json::value* value = members.if_contains(name);
  return value != nullptr && value->is_string() ? read_utc(value->as_string()) : std::nullopt;
}

// meta's pairs as they are given to start; any other value as the text it is.
std::string detail_of(const json::value& value) {
  if (value.is_string()) return printable(value.as_string());
  if (!value.is_object()) return printable(json::serialize(value));
  std::string out;
  for (const auto& [key, of_key] : value.as_object()) {
    out += fmt::format("{}{}={}", out.empty() ? "" : " ", printable(key), detail_of(of_key));
  }
  return out;
}

void fit(std::vector<Column>& columns, std::size_t room) {
  const auto total = [&columns] {
    std::size_t sum = kGap.size() * (columns.size() - 1);
    for (const Column& column : columns) sum += column.width;
    return sum;
  };
  const auto narrowest = [](const Column& column) {
    return column.kind == Kind::kName ? std::min(column.width, kNarrowest) : column.width;
  };
  const auto can_give = [&narrowest](const Column& a, const Column& b) {
    return std::tuple(a.width > narrowest(a), a.width) <
           std::tuple(b.width > narrowest(b), b.width);
  };
  while (total() > room) {
    const auto widest = std::max_element(columns.begin(), columns.end(), can_give);
    if (widest->width > narrowest(*widest)) {
      --widest->width;
    } else if (columns.size() > 1) {
      columns.pop_back();
    } else {
      columns[0].width = room;
    }
  }
}

// One line: what `cell_of` a column gives, and in which colour.
template <class CellOf>
void append_line(std::string& out, const std::vector<Column>& columns, CellOf cell_of) {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const auto [text, colour] = cell_of(columns[i]);
    const std::string shown = shortened(text, columns[i].width);
    out += colour;
    out += shown;
    if (!colour.empty()) out += kPlain;
    if (i + 1 < columns.size()) out.append(columns[i].width - columns_of(shown), ' ').append(kGap);
  }
  out += '\n';
}

}  // namespace

Result<void> Table::add(std::string_view session, std::string_view user) {
  const Error error{ErrorKind::kCorrupt, "cannot list: the answer is not a list of sessions"};
  boost::system::error_code code;
  const json::value value = json::parse(session, code);
  if (code || !value.is_object()) return error;
  const json::object& members = value.as_object();
  auto name = text_of(members, "session");
  auto owner = text_of(members, "user");
  if (!owner && !user.empty()) {
    const json::value of_list = json::parse(user, code);
    if (!code && of_list.is_string()) owner = printable(of_list.as_string());
  }
  const auto started = time_of(members, "startedAt");
  const auto seen = time_of(members, "lastSeenAt");
  const auto expires = time_of(members, "expiresAt");
  if (!name || !owner || !started || !seen || !expires) return error;

  Row row{std::move(*owner), std::move(*name), *started, *seen, *expires, {}};
  for (std::size_t i = 0; i < kDetailNames.size(); ++i) {
    const json::value* detail = members.if_contains(kDetailNames[i]);
    if (detail != nullptr) row.details[i] = detail_of(*detail);
  }
  rows_.push_back(std::move(row));
  return {};
}

std::vector<const Table::Row*> Table::sorted() const {
  std::vector<const Row*> rows;
  rows.reserve(rows_.size());
  for (const Row& row : rows_) rows.push_back(&row);
  std::ranges::sort(rows, {},
                    [](const Row* row) { return std::tie(row->user, row->started, row->session); });
  return rows;
}

std::string Table::text(const Terminal& terminal, WallTime now) const {
  const auto rows = sorted();
  std::vector<Column> columns;
  const auto add_column = [&](std::string_view title, Kind kind, const auto& cell_of) {
    Column column{title, kind, {}, columns_of(title)};
    column.cells.reserve(rows.size());
    for (const Row* row : rows) {
      const std::string& cell = column.cells.emplace_back(cell_of(*row));
      column.width = std::max(column.width, columns_of(cell));
    }
    columns.push_back(std::move(column));
  };
  const auto since = [now](WallTime at) { return human_duration(now - at); };
  add_column("USER", Kind::kName, [](const Row& row) { return row.user; });
  add_column("SESSION", Kind::kName, [](const Row& row) { return row.session; });
  add_column("AGE", Kind::kTime, [&](const Row& row) { return since(row.started); });
  add_column("SEEN", Kind::kTime, [&](const Row& row) { return since(row.seen); });
  add_column("LEFT", Kind::kTimeLeft,
             [&](const Row& row) { return human_duration(row.expires - now); });
  for (std::size_t i = 0; i < kDetailTitles.size(); ++i) {
    const auto has_it = [i](const Row* row) { return !row->details[i].empty(); };
    if (std::ranges::none_of(rows, has_it)) continue;
    add_column(kDetailTitles[i], Kind::kName,
               [i](const Row& row) { return row.details[i].empty() ? "-" : row.details[i]; });
  }
  if (terminal.columns) fit(columns, *terminal.columns);

  using Cell = std::pair<std::string_view, std::string_view>;
  std::string out;
  append_line(out, columns, [&](const Column& column) {
    return Cell(column.title, terminal.colours ? kBold : "");
  });
  for (std::size_t i = 0; i < rows.size(); ++i) {
    // Two heartbeats are missing: less than a third of the lease is left.
    const bool late = (rows[i]->expires - now) * 3 < rows[i]->expires - rows[i]->seen;
    append_line(out, columns, [&](const Column& column) {
      const bool marked = terminal.colours && late && column.kind == Kind::kTimeLeft;
      return Cell(column.cells[i], marked ? kYellow : "");
    });
  }
  return out;
}

std::string human_duration(Millis value) {
  using namespace std::chrono;
  const auto whole = std::max(floor<seconds>(value), seconds(0)).count();
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  if (whole < 86400) return fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
  return fmt::format("{}d{:02}h", whole / 86400, whole / 3600 % 24);
}

}  // namespace concur::cli
