#include "report_text.hpp"

#include "answer_values.hpp"
#include "base/human.hpp"
#include "base/text.hpp"
#include "sharers.hpp"

#include <charconv>
#include <map>
#include <utility>

namespace concur::cli {

namespace {

namespace json = boost::json;
using Kind = TextColumn::Kind;

// Levels above are counted together: a user without a limit may have had thousands at once.
constexpr std::size_t kMaxLevels = 16;

struct Users {
  std::uint64_t reached = 0;
  std::uint64_t attempted = 0;
};
using Levels = std::map<std::uint64_t, Users>;  // by how many streams at once

void read_levels(const json::object& histogram, std::string_view name, std::uint64_t Users::*figure,
                 Levels& levels) {
  const auto* counts = object_of(histogram, name);
  if (counts == nullptr) return;
  for (const auto& [key, value] : *counts) {
    std::uint64_t level = 0;
    const auto [rest, failed] = std::from_chars(key.data(), key.data() + key.size(), level);
    if (failed != std::errc() || rest != key.data() + key.size()) continue;
    levels[level].*figure += count_of(*counts, key);
  }
}

std::string histogram_text(const json::object& histogram, const Terminal& terminal) {
  Levels levels;
  read_levels(histogram, "peak", &Users::reached, levels);
  read_levels(histogram, "attempted", &Users::attempted, levels);
  if (levels.empty()) return {};
  TextColumn level{"AT ONCE", Kind::kNumber};
  TextColumn reached{"REACHED BY", Kind::kNumber};
  TextColumn attempted{"TRIED BY", Kind::kNumber};
  std::vector<std::uint64_t> reached_by;
  std::vector<std::uint64_t> attempted_by;
  for (const auto& [streams, users] : levels) {
    if (reached_by.size() == kMaxLevels) {
      reached_by.back() += users.reached;
      attempted_by.back() += users.attempted;
      if (!level.cells.back().ends_with('+')) level.cells.back() += '+';
      continue;
    }
    level.cells.push_back(text::format("{}", streams));
    reached_by.push_back(users.reached);
    attempted_by.push_back(users.attempted);
  }
  for (const auto users : reached_by) reached.cells.push_back(text::format("{}", users));
  for (const auto users : attempted_by) attempted.cells.push_back(text::format("{}", users));
  TextTable table;
  table.add(std::move(level));
  table.add(std::move(reached));
  table.add(bar_column(reached_by));
  table.add(std::move(attempted));
  table.add(bar_column(attempted_by));
  return "\nUsers by streams at once:\n" + table.text(terminal);
}

std::string hours_text(const json::object& report, const std::vector<Usage>& hours,
                       const Terminal& terminal) {
  TextColumn names{"HOUR (UTC)", Kind::kWord};
  const auto& entries = *array_of(report, "hours");
  for (std::size_t i = 0; i < hours.size(); ++i) {
    const auto at = time_of(entries[i].as_object(), "hour");
    names.cells.push_back(at ? human_minute(*at).substr(0, 16) : hours[i].name);
  }
  TextTable table;
  table.add(std::move(names));
  table.add(figure_column("TRIED", hours, &Usage::attempted));
  table.add(bar_column(hours, &Usage::attempted));
  table.add(figure_column("PEAK", hours, &Usage::peak));
  table.add(figure_column("STARTS", hours, &Usage::starts));
  table.add(figure_column("DENIED", hours, &Usage::denials));
  table.add(figure_column("EVICTED", hours, &Usage::evictions));
  table.add(figure_column("DEVS", hours, &Usage::devices));
  table.add(figure_column("IPS", hours, &Usage::addresses));
  table.add(figure_column("CONFL", hours, &Usage::conflicts));
  return "\nThe hours:\n" + table.text(terminal);
}

std::string what_if_text(const json::object& what_if) {
  const std::uint64_t users = count_of(what_if, "usersRefused");
  return text::format("\nwith a limit of {}, {} {} would have been refused\n",
                      count_of(what_if, "limit"), users, users == 1 ? "user" : "users");
}

}  // namespace

std::optional<std::string> report_text(std::string_view answer, const Terminal& terminal) {
  const auto report = read_object(answer);
  if (!report) return std::nullopt;
  const auto since = time_of(*report, "since");
  const auto users = usages_of(*report, "users", "user");
  if (!since || !users) return std::nullopt;

  TextTable table;
  add_ranked_users(table, *users);
  add_figures(table, *users);
  table.add(figure_column("CONFL", *users, &Usage::conflicts));
  std::string out = text::format("Who shares, since {}:\n", human_minute(*since));
  out += table.text(terminal);
  if (const auto hours = usages_of(*report, "hours", "hour")) {
    out += hours_text(*report, *hours, terminal);
  }
  if (const auto* histogram = object_of(*report, "histogram")) {
    out += histogram_text(*histogram, terminal);
  }
  if (const auto* what_if = object_of(*report, "whatIf")) out += what_if_text(*what_if);
  return out;
}

}  // namespace concur::cli
