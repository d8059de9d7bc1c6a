#include "run.hpp"

#include "ask.hpp"
#include "backup.hpp"
#include "batch.hpp"
#include "list.hpp"
#include "output.hpp"
#include "report.hpp"
#include "request.hpp"
#include "run_session.hpp"
#include "top.hpp"
#include "view.hpp"
#include "watch.hpp"
#include "watch_exec.hpp"
#include "work_watch.hpp"

namespace concur::cli {

namespace {

// A session that is gone has an exit code of its own only where it was to go on.
template <class T>
constexpr bool kContinuesSession = std::is_same_v<T, Heartbeat>;

template <class T>
Result<ExitCode> run_one(Client& client, const T& command) {
  auto answer = ask(client, T::kVerb, request_of(command));
  if (!answer) return std::move(answer).error();
  return pass_on(T::kVerb, *answer, kContinuesSession<T>);
}

Result<ExitCode> run_one(Client& client, const Purge& purge) {
  const auto answer = ask_long(client, Purge::kVerb, request_of(purge), "purge");
  if (!answer) return answer.error();
  return pass_on(Purge::kVerb, *answer, false);
}

Result<ExitCode> run_one(Client& client, const List& list) { return run_list(client, list); }

Result<ExitCode> run_one(Client& client, const LimitList& list) { return run_list(client, list); }

Result<ExitCode> run_one(Client& client, const BlockList& list) { return run_list(client, list); }

Result<ExitCode> run_one(Client& client, const Report& report) {
  return run_report(client, report);
}

Result<ExitCode> run_one(Client& client, const Status& status) { return run_view(client, status); }

Result<ExitCode> run_one(Client& client, const FleetCheck& check) {
  return run_view(client, check);
}

Result<ExitCode> run_one(Client& client, const FleetShow& show) { return run_view(client, show); }

Result<ExitCode> run_one(Client& client, const Batch& batch) { return run_batch(client, batch); }

Result<ExitCode> run_one(Client& client, const Backup& backup) {
  return run_backup(client, backup);
}

Result<int> status_of(const Result<ExitCode>& code) {
  if (!code) return code.error();
  return static_cast<int>(*code);
}

}  // namespace

Result<int> run(const Options& options) {
  Client client(options.sockets, options.timeout);
  const auto run_chosen = [&]<class T>(const T& chosen) -> Result<int> {
    if constexpr (std::is_same_v<T, Run>) {
      return run_session(client, options.sockets, chosen);
    } else if constexpr (std::is_same_v<T, Watch>) {
      if (chosen.exec.command.empty()) return status_of(run_watch(client, chosen));
      return status_of(run_watch_exec(client, options.sockets, chosen));
    } else if constexpr (std::is_same_v<T, Top>) {
      return exec_top(options, chosen);
    } else {
      return status_of(run_one(client, chosen));
    }
  };
  return std::visit(run_chosen, options.command);
}

}  // namespace concur::cli
