#include "view.hpp"

#include "answer_values.hpp"
#include "ask.hpp"
#include "base/text.hpp"
#include "fleet_text.hpp"
#include "output.hpp"
#include "report_text.hpp"
#include "request.hpp"
#include "status_text.hpp"
#include "work_watch.hpp"

namespace concur::cli {

namespace {

template <class T>
Result<HttpAnswer> ask_for(Client& client, const T& command) {
  return ask(client, T::kVerb, request_of(command));
}

Result<HttpAnswer> ask_for(Client& client, const Report& report) {
  return ask_long(client, Report::kVerb, request_of(report), "report");
}

template <class T, class ToText>
Result<ExitCode> run(Client& client, const T& command, const char* what, ToText to_text) {
  const auto answer = ask_for(client, command);
  if (!answer) return answer.error();
  if (answer->status != 200 || command.format != OutputFormat::kTable) {
    return pass_on(T::kVerb, *answer, false);
  }
  const auto text = to_text(answer->body, Terminal::of_output());
  if (!text) {
    return Error{ErrorKind::kCorrupt,
                 text::format("cannot {}: the answer is no {}", T::kVerb, what)};
  }
  if (auto written = write_output(*text); !written) return std::move(written).error();
  return ExitCode::kDone;
}

}  // namespace

Result<ExitCode> run_view(Client& client, const Report& report) {
  return run(client, report, "report", report_text);
}

Result<ExitCode> run_view(Client& client, const Status& status) {
  return run(client, status, "status", status_text);
}

Result<ExitCode> run_view(Client& client, const FleetShow& show) {
  return run(client, show, "fleet's status", fleet_text);
}

Result<ExitCode> run_view(Client& client, const FleetCheck& check) {
  const auto answer = ask(client, FleetCheck::kVerb, request_of(check));
  if (!answer) return answer.error();
  if (answer->status != 200) return pass_on(FleetCheck::kVerb, *answer, false);
  const auto findings = read_object(answer->body);
  const auto result = findings ? text_of(*findings, "result") : std::nullopt;
  const auto text = check.format == OutputFormat::kTable
                        ? fleet_check_text(answer->body, Terminal::of_output())
                        : std::optional(answer->body);
  if (!result || !text) {
    return Error{ErrorKind::kCorrupt, "cannot check the fleet: the answer is no list of findings"};
  }
  if (auto written = write_output(*text); !written) return std::move(written).error();
  return *result == "ok" ? ExitCode::kDone : ExitCode::kInvalid;
}

}  // namespace concur::cli
