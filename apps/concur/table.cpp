#include "table.hpp"

#include "answer_values.hpp"
#include "base/human.hpp"
#include "base/text.hpp"
#include "text_table.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <tuple>
#include <utility>

namespace concur::cli {

namespace {

namespace json = boost::json;

constexpr std::array<const char*, 5> kDetailNames{"device", "ip", "content", "box", "meta"};
constexpr std::array<const char*, 5> kDetailTitles{"DEVICE", "IP", "CONTENT", "BOX", "META"};

// meta's pairs as they are given to start; any other value as the text it is.
std::string detail_of(const json::value& value) {
  if (value.is_string()) return printable(value.as_string());
  if (!value.is_object()) return printable(json::serialize(value));
  std::string out;
  for (const auto& [key, of_key] : value.as_object()) {
    out += text::format("{}{}={}", out.empty() ? "" : " ", printable(key), detail_of(of_key));
  }
  return out;
}

}  // namespace

Result<void> Table::add(const json::object& members, const std::optional<std::string>& user) {
  const Error error{ErrorKind::kCorrupt, "cannot list: the answer is not a list of sessions"};
  auto name = text_of(members, "session");
  auto owner = text_of(members, "user");
  if (!owner) owner = user;
  const auto started = time_of(members, "startedAt");
  const auto seen = time_of(members, "lastSeenAt");
  const auto expires = time_of(members, "expiresAt");
  if (!name || !owner || !started || !seen || !expires) return error;

  Row row{std::move(*owner), std::move(*name), *started, *seen, *expires, {}, {}};
  if (members.contains("graceEndsAt")) {
    row.grace_ends = time_of(members, "graceEndsAt");
    if (!row.grace_ends) return error;
  }
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
  using Kind = TextColumn::Kind;
  const auto rows = sorted();
  TextTable table;
  const auto add_column = [&](std::string_view title, Kind kind, const auto& cell_of) {
    TextColumn column{title, kind};
    column.cells.reserve(rows.size());
    for (const Row* row : rows) column.cells.emplace_back(cell_of(*row));
    table.add(std::move(column));
  };
  const auto since = [now](WallTime at) { return human_duration(now - at); };
  add_column("USER", Kind::kName, [](const Row& row) { return row.user; });
  add_column("SESSION", Kind::kName, [](const Row& row) { return row.session; });
  add_column("AGE", Kind::kWord, [&](const Row& row) { return since(row.started); });
  add_column("SEEN", Kind::kWord, [&](const Row& row) { return since(row.seen); });
  TextColumn left{"LEFT", Kind::kWord};
  for (const Row* row : rows) {
    // Two heartbeats are missing: less than a third of the lease is left.
    const bool late = (row->expires - now) * 3 < row->expires - row->seen;
    left.cells.push_back(human_duration(row->expires - now));
    left.inks.push_back(late ? Ink::kYellow : Ink::kPlain);
  }
  table.add(std::move(left));
  const auto is_provisional = [](const Row* row) { return row->grace_ends.has_value(); };
  if (std::ranges::any_of(rows, is_provisional)) {
    TextColumn grace{"GRACE", Kind::kWord};
    for (const Row* row : rows) {
      grace.cells.push_back(row->grace_ends ? human_duration(*row->grace_ends - now) : "-");
      grace.inks.push_back(row->grace_ends ? Ink::kYellow : Ink::kPlain);
    }
    table.add(std::move(grace));
  }
  for (std::size_t i = 0; i < kDetailTitles.size(); ++i) {
    const auto has_it = [i](const Row* row) { return !row->details[i].empty(); };
    if (std::ranges::none_of(rows, has_it)) continue;
    add_column(kDetailTitles[i], Kind::kName,
               [i](const Row& row) { return row.details[i].empty() ? "-" : row.details[i]; });
  }
  return table.text(terminal);
}

}  // namespace concur::cli
