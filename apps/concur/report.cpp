#include "report.hpp"

#include "ask.hpp"
#include "base/clock.hpp"
#include "base/terminal_progress.hpp"
#include "new_file.hpp"
#include "output.hpp"
#include "report_csv.hpp"
#include "report_html.hpp"
#include "request.hpp"
#include "view.hpp"
#include "work_watch.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace concur::cli {

namespace {

// Whose hours are asked for, one after the other: those of the first, who matter.
constexpr std::size_t kMaxStrips = 100;

Error no_report() { return {ErrorKind::kCorrupt, "cannot report: the answer is no report"}; }

// Of the users that the answer names. Nothing of any where the daemon does not give it: without
// them it is a report all the same.
Result<std::vector<HoursOfDay>> hours_of_users(Client& client, const Report& report,
                                               std::string_view answer) {
  const auto users = users_of_report(answer);
  if (!users) return no_report();
  std::vector<HoursOfDay> all;
  if (report.user) return all;  // they are in the answer
  Progress progress(terminal_progress());
  for (const std::string& user : *users) {
    if (all.size() == kMaxStrips) break;
    progress.report({.what = "asking for hours",
                     .unit = "users",
                     .done = all.size(),
                     .total = std::min(users->size(), kMaxStrips)});
    const Report of_user{.since = report.since, .user = user};
    const auto hours = ask(client, Report::kVerb, request_of(of_user));
    if (!hours) return hours.error();
    if (hours->status != 200) return std::vector<HoursOfDay>();
    const auto of_day = hours_of_day(hours->body);
    if (!of_day) return no_report();
    all.push_back(*of_day);
  }
  return all;
}

Result<std::string> text_of(Client& client, const Report& report, const std::string& answer) {
  std::optional<std::string> text;
  if (report.format == OutputFormat::kCsv) {
    text = report_csv(answer);
  } else {
    const auto hours = hours_of_users(client, report, answer);
    if (!hours) return hours.error();
    text = report_html(answer, *hours, SystemClock().now().wall());
  }
  if (!text) return no_report();
  return std::move(*text);
}

// In another form than the daemon's.
Result<ExitCode> write_report(Client& client, const Report& report) {
  std::optional<NewFile> file;
  if (report.file) {
    file.emplace(*report.file, NewFile::Name::kReplaced);
    if (auto opened = file->open(); !opened) return std::move(opened).error();
  }
  const auto answer = ask_long(client, Report::kVerb, request_of(report), "report");
  if (!answer) return answer.error();
  if (answer->status != 200) return pass_on(Report::kVerb, *answer, false);
  auto text = text_of(client, report, answer->body);
  if (!text) return std::move(text).error();
  if (file) {
    if (auto written = file->write(*text); !written) return std::move(written).error();
    if (auto committed = file->commit(); !committed) return std::move(committed).error();
    *text = file->answer();
  }
  if (auto written = write_output(*text); !written) return std::move(written).error();
  return ExitCode::kDone;
}

}  // namespace

Result<ExitCode> run_report(Client& client, const Report& report) {
  const bool is_page = report.format == OutputFormat::kHtml || report.format == OutputFormat::kCsv;
  return is_page ? write_report(client, report) : run_view(client, report);
}

}  // namespace concur::cli
