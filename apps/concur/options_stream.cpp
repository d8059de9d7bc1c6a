#include "command_options.hpp"
#include "option_values.hpp"

namespace concur::cli {

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
      "3 some lines were not answered, 4 not permitted");
}

void add_options(CLI::App& app, Watch& watch) {
  add_text(app, "--user", "USER", "Only this user's events", watch.user);
  add_option(app, "--since", "SEQ",
             "Begin with the events after this one, as far as the daemon keeps them",
             [&watch](const std::string& text) { watch.since = read_number("--since", text); });
  add_flag(app, "--renewed", "Also print renewals of sessions", watch.renewed);
  add_footer(app,
             "Prints one JSON object per line until it or the daemon is stopped.\n"
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
