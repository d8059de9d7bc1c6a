#include "command_options.hpp"
#include "option_values.hpp"

#include <algorithm>

namespace concur::cli {

namespace {

void add_exec_options(CLI::App& app, Watch& watch) {
  Exec& exec = watch.exec;
  add_option(app, "--exec", "COMMAND",
             "Run it by /bin/sh for each event, which is its standard input, until it exits with 0",
             [&exec](const std::string& text) {
               if (text.empty()) reject("cannot watch: --exec is empty");
               exec.command = text;
             });
  add_option(app, "--events", "LIST", "Only for these, between commas: denied,evicted",
             [&watch](const std::string& text) {
               watch.exec.events = read_words(
                   "--events", text,
                   {"started", "renewed", "ended", "expired", "evicted", "denied", "purged",
                    "waiting", "left", "blocked", "unblocked", "limit_changed", "dropped"});
               const auto& events = watch.exec.events;
               watch.renewed |= std::find(events.begin(), events.end(), "renewed") != events.end();
             });
  add_option(app, "--state", "FILE", "Remember here what is done, and go on behind it",
             [&exec](const std::string& text) {
               if (text.empty()) reject("cannot watch: --state is empty");
               exec.state = text;
             });
  add_option(app, "--at-most", "N/DURATION", "For one user so many times, and skip the rest: 1/10m",
             [&exec](const std::string& text) { exec.at_most = read_rarely("--at-most", text); });
}

}  // namespace

void add_options(CLI::App& app, Batch& /*batch*/) {
  add_footer(
      app,
      "Standard input has one command per line, as JSON:\n"
      "  {\"command\":\"start|heartbeat|end\",\"user\":\"abc\",\"session\":\"xyz\"}\n"
      "Standard output has one JSON answer per line, in the same order, each as soon as it is "
      "known.\n"
      "Examples:\n"
      "  concur batch <commands.ndjson >answers.ndjson\n"
      "  coproc concur batch\n"
      "Exit status: 0 every line was answered, 2 every line was answered but some were invalid,\n"
      "3 some lines were not answered or could not be carried out, 4 some were not permitted");
}

void add_options(CLI::App& app, Watch& watch) {
  add_text(app, "--user", "USER", "Only this user's events", watch.user);
  add_option(app, "--since", "SEQ",
             "Begin with the events after this one, as far as the daemon keeps them",
             [&watch](const std::string& text) { watch.since = read_number("--since", text); });
  add_flag(app, "--renewed", "Also print renewals of sessions", watch.renewed);
  add_exec_options(app, watch);
  add_footer(app,
             "Prints one JSON object per line until it or the daemon is stopped.\n"
             "Examples:\n"
             "  concur watch\n"
             "  concur watch --user abc --since 0\n"
             "  concur watch | jq --unbuffered -r 'select(.event == \"denied\") | .user'\n"
             "  concur watch --exec ./mail-denied --events denied --at-most 1/1h --state "
             "/var/lib/mail/state\n"
             "With --exec nothing is printed, and a daemon that is gone is waited for.\n"
             "Exit status: 0 stopped by SIGINT or SIGTERM, 3 the events ended, 4 not permitted");
}

void check(const Batch& /*batch*/) {}

void check(const Watch& watch) {
  const Exec& exec = watch.exec;
  if (exec.command.empty() && (!exec.events.empty() || exec.state || exec.at_most)) {
    reject("cannot watch: --events, --state and --at-most go with --exec");
  }
  if (watch.user && watch.user->empty()) {
    reject("cannot watch: --user is empty; leave it out to watch all users");
  }
}

}  // namespace concur::cli
