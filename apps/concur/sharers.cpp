#include "sharers.hpp"

#include "answer_values.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <utility>

namespace concur::cli {

using Kind = TextColumn::Kind;

std::optional<std::vector<Usage>> usages_of(const boost::json::object& report,
                                            std::string_view list, std::string_view name) {
  const auto* entries = array_of(report, list);
  if (entries == nullptr) return std::nullopt;
  std::vector<Usage> usages;
  for (const auto& entry : *entries) {
    const auto* members = entry.if_object();
    if (members == nullptr) return std::nullopt;
    auto text = text_of(*members, name);
    if (!text) return std::nullopt;
    usages.push_back({.name = std::move(*text),
                      .score = count_of(*members, "score"),
                      .starts = count_of(*members, "starts"),
                      .denials = count_of(*members, "denials"),
                      .evictions = count_of(*members, "evictions"),
                      .peak = count_of(*members, "peak"),
                      .attempted = count_of(*members, "attemptedPeak"),
                      .devices = count_of(*members, "devices"),
                      .addresses = count_of(*members, "addresses"),
                      .conflicts = count_of(*members, "conflicts")});
  }
  return usages;
}

TextColumn figure_column(const char* title, const std::vector<Usage>& rows, Figure figure) {
  TextColumn column{title, Kind::kNumber};
  for (const Usage& row : rows) column.cells.push_back(text::format("{}", row.*figure));
  return column;
}

TextColumn bar_column(const std::vector<std::uint64_t>& figures) {
  TextColumn column{"", Kind::kBar};
  const std::uint64_t most = figures.empty() ? 0 : *std::ranges::max_element(figures);
  for (const std::uint64_t figure : figures) {
    column.shares.push_back(most == 0 ? 0
                                      : static_cast<double>(figure) / static_cast<double>(most));
  }
  return column;
}

TextColumn bar_column(const std::vector<Usage>& rows, Figure figure) {
  std::vector<std::uint64_t> figures(rows.size());
  std::ranges::transform(rows, figures.begin(), figure);
  return bar_column(figures);
}

void add_ranked_users(TextTable& table, const std::vector<Usage>& users) {
  TextColumn ranks{"#", Kind::kNumber};
  TextColumn names{"USER", Kind::kName};
  for (std::size_t i = 0; i < users.size(); ++i) {
    ranks.cells.push_back(text::format("{}", i + 1));
    names.cells.push_back(users[i].name);
  }
  table.add(std::move(ranks));
  table.add(std::move(names));
  table.add(figure_column("SCORE", users, &Usage::score));
  table.add(bar_column(users, &Usage::score));
}

void add_figures(TextTable& table, const std::vector<Usage>& rows) {
  table.add(figure_column("STARTS", rows, &Usage::starts));
  table.add(figure_column("DENIED", rows, &Usage::denials));
  table.add(figure_column("EVICTED", rows, &Usage::evictions));
  table.add(figure_column("PEAK", rows, &Usage::peak));
  table.add(figure_column("TRIED", rows, &Usage::attempted));
  table.add(figure_column("DEVS", rows, &Usage::devices));
  table.add(figure_column("IPS", rows, &Usage::addresses));
}

}  // namespace concur::cli
