#include "report_csv.hpp"

#include "answer_values.hpp"
#include "base/text.hpp"
#include "sharers.hpp"

#include <array>
#include <vector>

namespace concur::cli {

namespace {

// What begins a formula in one spreadsheet or another, full-width forms too
// (https://owasp.org/www-community/attacks/CSV_Injection). White space before it may be passed
// over, so that counts as well.
bool is_formula(std::string_view text) {
  constexpr std::array<std::string_view, 10> kBegins{"=",  "+",  "-",  "@",  "\t",
                                                     "\r", "＝", "＋", "－", "＠"};
  const std::size_t begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return false;
  for (const auto& each : kBegins) {
    if (text.substr(begin).starts_with(each)) return true;
  }
  return false;
}

void append_name(std::string& out, std::string_view name) {
  out += '"';
  if (is_formula(name)) out += '\'';
  for (const char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

void append_figures(std::string& out, const Usage& usage) {
  text::append(out, ",{},{},{},{},{},{},{},{},{}\n", usage.score, usage.starts, usage.denials,
               usage.evictions, usage.peak, usage.attempted, usage.devices, usage.addresses,
               usage.conflicts);
}

}  // namespace

std::optional<std::string> report_csv(std::string_view answer) {
  constexpr std::string_view kFigures =
      ",score,starts,denials,evictions,peak,attemptedPeak,devices,addresses,conflicts\n";
  const auto report = read_object(answer);
  const auto users = report ? usages_of(*report, "users", "user") : std::nullopt;
  if (!users || !time_of(*report, "since")) return std::nullopt;
  const auto hours = usages_of(*report, "hours", "hour");
  std::string out = hours ? "user,hour" : "user";
  out += kFigures;
  for (const Usage& user : *users) {
    if (!hours) {
      append_name(out, user.name);
      append_figures(out, user);
      continue;
    }
    for (const Usage& hour : *hours) {
      append_name(out, user.name);
      text::append(out, ",{}", hour.name);
      append_figures(out, hour);
    }
  }
  return out;
}

}  // namespace concur::cli
