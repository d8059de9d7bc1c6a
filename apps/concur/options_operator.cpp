#include "command_options.hpp"
#include "option_values.hpp"

namespace concur::cli {

void add_options(CLI::App& app, List& list) {
  add_text(app, "--user", "USER", "Only this user's sessions", list.user);
  add_option(app, "--output", "json|ndjson|table",
             "One JSON document, one session per line, or a table for people",
             [&list](const std::string& text) {
               list.format = read_format(
                   text, {OutputFormat::kJson, OutputFormat::kNdjson, OutputFormat::kTable});
             });
  add_footer(app,
             "Examples:\n"
             "  concur list --user abc\n"
             "  concur list --output table\n"
             "  concur list --output ndjson | jq -r .user | sort | uniq -c");
}

void add_options(CLI::App& app, Purge& purge) {
  add_text(app, "--user", "USER", "All sessions of this user", purge.user);
  add_option(app, "--idle", "DURATION", "All sessions without a start or heartbeat for this long",
             [&purge](const std::string& text) { purge.idle = read_duration(text); });
  add_flag(app, "--all", "All sessions of all users", purge.all);
  add_flag(app, "--dry-run", "Only count how many sessions would be ended", purge.dry_run);
  add_footer(app,
             "Examples:\n"
             "  concur purge --idle 1h --dry-run\n"
             "  concur purge --user abc");
}

void add_options(CLI::App& app, Backup& backup) {
  add_text(app, "FILE", "", "The file to write, which must not exist yet", backup.file);
  add_flag(app, "--local", "Of a box of a fleet: what it keeps itself", backup.local);
  add_footer(app,
             "The daemon keeps answering meanwhile. A daemon can be started on the copy.\n"
             "Examples:\n"
             "  concur backup /var/backups/sessions.db\n"
             "  concur backup \"sessions-$(date +%F).db\"");
}

void check(const Backup& backup) {
  if (backup.file.empty()) reject("cannot back up: it takes the FILE to write");
}

void check(const List& list) {
  if (list.user && list.user->empty()) {
    reject("cannot list: --user is empty; leave it out to list all users");
  }
}

void check(const Purge& purge) {
  if (int{purge.user.has_value()} + int{purge.idle.has_value()} + int{purge.all} != 1) {
    reject("cannot purge: it takes exactly one of --user, --idle and --all");
  }
}

}  // namespace concur::cli
