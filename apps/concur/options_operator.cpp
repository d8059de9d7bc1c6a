#include "base/text.hpp"
#include "command_options.hpp"
#include "option_values.hpp"

#include <algorithm>

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
  add_text(app, "--user", "USER", "Sessions of this user", purge.user);
  add_option(app, "--idle", "DURATION", "Sessions without a start or heartbeat for this long",
             [&purge](const std::string& text) { purge.idle = read_duration(text); });
  add_option(app, "--older-than", "DURATION", "Sessions that started so long ago",
             [&purge](const std::string& text) { purge.older_than = read_duration(text); });
  add_text(app, "--ip", "ADDRESS", "Sessions from this address", purge.ip);
  add_text(app, "--device", "ID", "Sessions on this device", purge.device);
  add_text(app, "--content", "ID", "Sessions that play this", purge.content);
  add_option(
      app, "--meta", "KEY=VALUE", "Sessions with this in their meta; may be repeated",
      [&purge](const std::string& text) { purge.meta.push_back(read_pair(text)); }, Repeats::kAll);
  add_flag(app, "--all", "All sessions of all users", purge.all);
  add_option(app, "--block", "DURATION", "Also block the users whose sessions these are",
             [&purge](const std::string& text) { purge.block = read_duration(text); });
  add_message(app, purge.message);
  add_flag(app, "--dry-run", "Only count how many sessions, and users, would be affected",
           purge.dry_run);
  add_footer(app,
             "Of --user, --idle, --older-than, --ip, --device, --content and --meta all that are "
             "given must hold;\n"
             "--all stands alone.\n"
             "Examples:\n"
             "  concur purge --idle 1h --dry-run\n"
             "  concur purge --user abc --block 1d --message \"Please call us.\"\n"
             "  concur purge --ip 192.0.2.7 --older-than 12h");
}

void add_options(CLI::App& app, Block& block) {
  add_text(app, "--user", "USER", "The account", block.user);
  add_option(app, "--for", "DURATION", "For how long; without it until concur unblock",
             [&block](const std::string& text) { block.length = read_duration(text); });
  add_message(app, block.message);
  add_footer(app,
             "No session of the user starts from then on; active ones continue unless they are "
             "purged.\n"
             "See also concur block list --help.\n"
             "Examples:\n"
             "  concur block --user abc --for 7d --message \"Please renew your subscription.\"\n"
             "  concur block list");
}

void add_options(CLI::App& app, Unblock& unblock) {
  add_text(app, "--user", "USER", "The account", unblock.user);
  add_footer(app,
             "Unblocking a user who is not blocked is no error.\n"
             "Examples:\n"
             "  concur unblock --user abc");
}

void add_options(CLI::App& app, BlockList& list) {
  add_option(app, "--output", "json|ndjson", "One JSON document, or one user per line",
             [&list](const std::string& text) {
               list.format = read_format(text, {OutputFormat::kJson, OutputFormat::kNdjson});
             });
  add_footer(app,
             "Examples:\n"
             "  concur block list\n"
             "  concur block list --output ndjson | jq -r .user");
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
  if (purge.all && purge.says_which()) {
    reject("cannot purge: --all stands alone; leave it out to purge some sessions");
  }
  if (!purge.all && !purge.says_which()) {
    reject(
        "cannot purge: it takes --all, or at least one of --user, --idle, --older-than, --ip, "
        "--device, --content and --meta");
  }
  for (auto each = purge.meta.begin(); each != purge.meta.end(); ++each) {
    const auto same = [&each](const auto& other) { return other.first == each->first; };
    if (std::find_if(each + 1, purge.meta.end(), same) == purge.meta.end()) continue;
    reject(text::format("cannot purge: --meta names '{}' twice", each->first));
  }
  if (purge.all && purge.block) reject("cannot purge: --block does not go with --all");
}

void check(const Block& block) {
  if (block.user.empty()) reject("cannot block: it takes --user USER");
}

void check(const Unblock& unblock) {
  if (unblock.user.empty()) reject("cannot unblock: it takes --user USER");
}

void check(const BlockList& /*list*/) {}

}  // namespace concur::cli
