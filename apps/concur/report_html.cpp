#include "report_html.hpp"

#include "answer_values.hpp"
#include "base/human.hpp"
#include "base/text.hpp"
#include "levels.hpp"
#include "report_text.hpp"
#include "sharers.hpp"

#include <algorithm>
#include <map>

namespace concur::cli {

namespace {

namespace json = boost::json;

// Nothing is loaded and nothing runs, whatever a name holds.
constexpr std::string_view kHead = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<style>
:root { --ground: #fff; --ink: #1b1f24; --soft: #57606a; --line: #d8dee4; --reached: #2f6fb3; --tried: #bc4c00; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171b; --ink: #e6e9ed; --soft: #9aa4af; --line: #353c44; --reached: #6cb0f5; --tried: #f0883e; }
}
@media print { :root { --ground: #fff; --ink: #000; --soft: #444; --line: #ccc; --reached: #2f6fb3; --tried: #bc4c00; } }
body { margin: 2rem auto; padding: 0 1rem; max-width: 80rem; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem; }
p { margin: .3rem 0; }
.soft, caption, th { color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .4rem; }
th { font-weight: 600; text-align: right; vertical-align: bottom; }
th, td { padding: .3rem .5rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
td { text-align: right; }
th.word, td.word { text-align: left; }
td.name { text-align: left; min-width: 10rem; max-width: 20rem; white-space: normal; overflow-wrap: anywhere; font-weight: 600; }
svg { display: block; }
svg text { font: 12px system-ui, sans-serif; fill: var(--ink); }
.reached { fill: var(--reached); }
.tried { fill: var(--tried); }
.none { fill: var(--line); fill-opacity: .5; }
</style>
)";

constexpr std::string_view kWords = R"(<h2>What the columns are</h2>
<p class="soft">Score: by how many streams the attempts exceeded the limit at most, summed over the hours. Started,
denied, evicted: starts that were let in, starts that were refused, and sessions that others of the same user ended.
Peak: the most streams at once. Tried: the most that were attempted at once. Devices, addresses: different ones.
Conflicts: how often one session, device or address was used by two players.</p>
)";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

double share(std::uint64_t figure, std::uint64_t most) {
  return most == 0 ? 0 : static_cast<double>(figure) / static_cast<double>(most);
}

void append_bar(std::string& out, std::uint64_t figure, std::uint64_t most) {
  constexpr double kWidth = 64;
  text::append(out,
               "<svg width=\"{0:.0f}\" height=\"12\" aria-hidden=\"true\">"
               "<rect class=\"tried\" width=\"{1:.1f}\" height=\"12\" rx=\"2\"/></svg>",
               kWidth, kWidth * share(figure, most));
}

// A square for each hour of the day, the fuller the nearer what was tried comes to `most`.
void append_strip(std::string& out, const HoursOfDay& hours, std::uint64_t most) {
  constexpr int kStep = 9;
  const auto busiest = std::ranges::max_element(hours);
  const auto label = *busiest == 0 ? std::string("nothing was tried")
                                   : text::format("most at {:02}:00 UTC: {} at once",
                                                  busiest - hours.begin(), *busiest);
  text::append(out, "<svg width=\"{0}\" height=\"14\" role=\"img\" aria-label=\"{1}\">",
               kStep * hours.size(), label);
  for (std::size_t hour = 0; hour < hours.size(); ++hour) {
    text::append(out, "<rect x=\"{}\" width=\"8\" height=\"14\" rx=\"1\" ", kStep * hour);
    if (hours[hour] == 0) {
      out += "class=\"none\"/>";
      continue;
    }
    text::append(out,
                 "class=\"tried\" fill-opacity=\"{:.2f}\"><title>{:02}:00 UTC: {} at "
                 "once</title></rect>",
                 0.2 + 0.8 * share(hours[hour], most), hour, hours[hour]);
  }
  out += "</svg>";
}

void append_heads(std::string& out, const std::vector<std::string_view>& words,
                  const std::vector<std::string_view>& figures) {
  out += "<thead><tr>";
  for (const auto word : words) {
    text::append(out, "<th scope=\"col\" class=\"word\">{}</th>", word);
  }
  for (const auto figure : figures) text::append(out, "<th scope=\"col\">{}</th>", figure);
}

const std::vector<std::string_view> kFigures{"Started", "Denied",  "Evicted",   "Peak",
                                             "Tried",   "Devices", "Addresses", "Conflicts"};

void append_figures(std::string& out, const Usage& usage) {
  for (const auto figure : {usage.starts, usage.denials, usage.evictions, usage.peak,
                            usage.attempted, usage.devices, usage.addresses, usage.conflicts}) {
    text::append(out, "<td>{}</td>", figure);
  }
}

void append_users(std::string& out, const std::vector<Usage>& users,
                  const std::vector<HoursOfDay>& hours) {
  if (users.empty()) {
    out += "<p>Nobody was denied a start, evicted, or in conflict with another.</p>\n";
    return;
  }
  std::uint64_t most = 0;
  for (const Usage& user : users) most = std::max(most, user.score);
  out += "<div class=\"wide\"><table>";
  if (users.size() > 1) out += "<caption>The highest score first.</caption>";
  out += '\n';
  append_heads(out, {"#", "User", "Score", ""}, kFigures);
  if (!hours.empty()) {
    out += "<th scope=\"col\" class=\"word\">Tried by hour, 0 to 23 UTC</th>";
  }
  out += "</tr></thead>\n<tbody>\n";
  for (std::size_t i = 0; i < users.size(); ++i) {
    const Usage& user = users[i];
    text::append(out, "<tr><td>{}</td><td class=\"name\"><bdi>{}</bdi></td><td>{}</td><td>", i + 1,
                 escaped(user.name), user.score);
    append_bar(out, user.score, most);
    out += "</td>";
    append_figures(out, user);
    if (!hours.empty()) {
      out += "<td class=\"word\">";
      if (i < hours.size()) append_strip(out, hours[i], std::ranges::max(hours[i]));
      out += "</td>";
    }
    out += "</tr>\n";
  }
  out += "</tbody></table></div>\n";
}

void append_level_bar(std::string& out, const char* kind, std::size_t at, std::uint64_t users,
                      std::uint64_t most) {
  constexpr double kWidth = 440;
  const double width = kWidth * share(users, most);
  text::append(out,
               "<rect class=\"{0}\" x=\"48\" y=\"{1}\" width=\"{2:.1f}\" height=\"11\"/>"
               "<text x=\"{3:.1f}\" y=\"{4}\">{5}</text>",
               kind, at, width, 54 + width, at + 10, users);
}

// By hand: a bar for those who reached the level, and one for those who tried.
void append_histogram(std::string& out, const std::vector<Level>& levels) {
  if (levels.empty()) return;
  constexpr std::size_t kStep = 34;
  std::uint64_t most = 0;
  for (const Level& level : levels) most = std::max({most, level.reached, level.attempted});
  text::append(out,
               "<h2>Users by streams at once</h2>\n"
               "<div class=\"wide\"><svg width=\"600\" height=\"{0}\" viewBox=\"0 0 600 {0}\" "
               "role=\"img\" aria-label=\"How many users reached and tried so many streams at "
               "once\">\n"
               "<rect class=\"reached\" x=\"48\" y=\"4\" width=\"11\" height=\"11\"/>"
               "<text x=\"64\" y=\"14\">users who reached it</text>"
               "<rect class=\"tried\" x=\"220\" y=\"4\" width=\"11\" height=\"11\"/>"
               "<text x=\"236\" y=\"14\">users who tried it</text>\n",
               30 + kStep * levels.size());
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const std::size_t top = 30 + kStep * i;
    text::append(out, "<text x=\"40\" y=\"{}\" text-anchor=\"end\">{}</text>", top + 16,
                 levels[i].name);
    append_level_bar(out, "reached", top, levels[i].reached, most);
    append_level_bar(out, "tried", top + 12, levels[i].attempted, most);
    out += '\n';
  }
  out += "</svg></div>\n";
}

// Of one user: a strip for each day, and then the hours one by one.
void append_hours(std::string& out, const json::array& entries, const std::vector<Usage>& hours) {
  if (hours.empty()) return;
  std::map<std::string, HoursOfDay> days;
  const std::uint64_t most = std::ranges::max(hours, {}, &Usage::attempted).attempted;
  std::string rows;
  for (std::size_t i = 0; i < hours.size(); ++i) {
    const auto at = time_of(entries[i].as_object(), "hour");
    if (!at) continue;
    const std::string minute = human_minute(*at);  // 2026-11-16 21:00 UTC
    const auto day = days.try_emplace(minute.substr(0, 10)).first;
    const auto seconds = std::chrono::floor<std::chrono::hours>(at->time_since_epoch()).count();
    day->second[static_cast<std::size_t>(((seconds % 24) + 24) % 24)] = hours[i].attempted;
    text::append(rows, "<tr><td class=\"word\">{}</td><td>{}</td>", minute.substr(0, 16),
                 hours[i].score);
    append_figures(rows, hours[i]);
    rows += "</tr>\n";
  }
  out += "<h2>The days</h2>\n<div class=\"wide\"><table>";
  append_heads(out, {"Day", "Tried by hour, 0 to 23 UTC"}, {});
  out += "</tr></thead>\n<tbody>\n";
  for (const auto& [day, tried] : days) {
    text::append(out, "<tr><td class=\"word\">{}</td><td class=\"word\">", day);
    append_strip(out, tried, most);
    out += "</td></tr>\n";
  }
  out += "</tbody></table></div>\n<h2>The hours</h2>\n<div class=\"wide\"><table>";
  append_heads(out, {"Hour (UTC)"}, {"Score"});
  for (const auto figure : kFigures) text::append(out, "<th scope=\"col\">{}</th>", figure);
  text::append(out, "</tr></thead>\n<tbody>\n{}</tbody></table></div>\n", rows);
}

}  // namespace

std::optional<HoursOfDay> hours_of_day(std::string_view answer) {
  const auto report = read_object(answer);
  const auto hours = report ? usages_of(*report, "hours", "hour") : std::nullopt;
  if (!hours) return std::nullopt;
  const auto& entries = *array_of(*report, "hours");
  HoursOfDay most{};
  for (std::size_t i = 0; i < hours->size(); ++i) {
    const auto at = time_of(entries[i].as_object(), "hour");
    if (!at) return std::nullopt;
    const auto hour = std::chrono::floor<std::chrono::hours>(at->time_since_epoch()).count() % 24;
    std::uint64_t& tried = most[static_cast<std::size_t>((hour + 24) % 24)];
    tried = std::max(tried, (*hours)[i].attempted);
  }
  return most;
}

std::optional<std::vector<std::string>> users_of_report(std::string_view answer) {
  const auto report = read_object(answer);
  const auto* users = report ? array_of(*report, "users") : nullptr;
  if (users == nullptr) return std::nullopt;
  std::vector<std::string> names;
  for (const auto& user : *users) {
    const auto* name = user.is_object() ? user.get_object().if_contains("user") : nullptr;
    if (name == nullptr || !name->is_string()) return std::nullopt;
    names.emplace_back(name->get_string());
  }
  return names;
}

std::optional<std::string> report_html(std::string_view answer,
                                       const std::vector<HoursOfDay>& hours, WallTime made) {
  const auto report = read_object(answer);
  if (!report) return std::nullopt;
  const auto since = time_of(*report, "since");
  const auto users = usages_of(*report, "users", "user");
  if (!since || !users) return std::nullopt;

  std::string out(kHead);
  text::append(out,
               "<title>Who shares, since {0}</title>\n</head>\n<body>\n<h1>Who shares</h1>\n"
               "<p class=\"soft\">From {0} to {1}, as concurrencyd reports it.</p>\n",
               human_minute(*since), human_minute(made));
  if (const auto* what_if = object_of(*report, "whatIf")) {
    std::string sentence = what_if_text(*what_if);
    sentence[0] = 'W';
    text::append(out, "<p>{}.</p>\n", sentence);
  }
  append_users(out, *users, hours);
  if (const auto of_user = usages_of(*report, "hours", "hour")) {
    append_hours(out, *array_of(*report, "hours"), *of_user);
  }
  if (const auto* histogram = object_of(*report, "histogram")) {
    append_histogram(out, levels_of(*histogram));
  }
  out += kWords;
  out += "</body>\n</html>\n";
  return out;
}

}  // namespace concur::cli
