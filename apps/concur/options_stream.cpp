#include "command_options.hpp"
#include "option_values.hpp"

namespace concur::cli {

void add_options(CLI::App& app, Batch& /*batch*/) {
  add_footer(
      app,
      "Standard input has one JSON command a line:\n"
      "  {\"command\":\"start|heartbeat|end\",\"user\":\"abc\",\"session\":\"xyz\"}\n"
      "and standard output one JSON answer a line, in order, each as soon as there is one.\n"
      "Examples:\n"
      "  concur batch <commands.ndjson >answers.ndjson\n"
      "  coproc concur batch\n"
      "Exit status: 0 each line has its answer, 2 likewise and a line was invalid, 3 not each line "
      "has\n"
      "its answer, 4 not permitted");
}

void add_options(CLI::App& app, Watch& watch) {
  add_text(app, "--user", "USER", "Only this user's events", watch.user);
  add_option(app, "--since", "SEQ", "First what the daemon still has after this event",
             [&watch](const std::string& text) { watch.since = read_number("--since", text); });
  add_flag(app, "--renewed", "Also tell of sessions that are renewed", watch.renewed);
  add_footer(app,
             "Prints one JSON object a line, until it is stopped or the daemon is.\n"
             "Examples:\n"
             "  concur watch\n"
             "  concur watch --user abc --since 0\n"
             "  concur watch | jq --unbuffered -r 'select(.event == \"denied\") | .user'\n"
             "Exit status: 0 stopped by SIGINT or SIGTERM, 3 the events ended, 4 not permitted");
}

void check(const Batch& /*batch*/) {}

void check(const Watch& watch) {
  if (watch.user && watch.user->empty()) {
    reject("cannot watch: --user is empty; leave it out to watch all users");
  }
}

}  // namespace concur::cli
