#include "report_text.hpp"

#include "answer_values.hpp"
#include "base/human.hpp"
#include "base/text.hpp"
#include "levels.hpp"
#include "sharers.hpp"

#include <utility>

namespace concur::cli {

namespace {

namespace json = boost::json;
using Kind = TextColumn::Kind;

std::string histogram_text(const json::object& histogram, const Terminal& terminal) {
  const auto levels = levels_of(histogram);
  if (levels.empty()) return {};
  TextColumn level{"AT ONCE", Kind::kNumber};
  TextColumn reached{"REACHED BY", Kind::kNumber};
  TextColumn attempted{"TRIED BY", Kind::kNumber};
  std::vector<std::uint64_t> reached_by;
  std::vector<std::uint64_t> attempted_by;
  for (const Level& each : levels) {
    level.cells.push_back(each.name);
    reached.cells.push_back(text::format("{}", each.reached));
    attempted.cells.push_back(text::format("{}", each.attempted));
    reached_by.push_back(each.reached);
    attempted_by.push_back(each.attempted);
  }
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

}  // namespace

std::string what_if_text(const json::object& what_if) {
  const std::uint64_t users = count_of(what_if, "usersRefused");
  return text::format("with a limit of {}, {} {} would have been refused",
                      count_of(what_if, "limit"), users, users == 1 ? "user" : "users");
}

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
  if (const auto* what_if = object_of(*report, "whatIf")) {
    out += text::format("\n{}\n", what_if_text(*what_if));
  }
  return out;
}

}  // namespace concur::cli
