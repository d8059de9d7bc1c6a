#include "options.hpp"

#include "base/command_line.hpp"
#include "base/socket_path.hpp"
#include "base/text.hpp"
#include "command_options.hpp"
#include "option_values.hpp"
#include "socket_paths.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <string_view>

namespace concur::cli {

namespace {

void add_global(CLI::App& app, Options& options) {
  add_option(
      app, "--socket", "PATH",
      "The daemon's socket (default: CONCUR_SOCKET, the service's, this user's)",
      [&options](const std::string& text) {
        options.sockets = {socket_path_of(text)};
        if (options.sockets[0].empty()) reject("cannot read --socket: it is empty");
      },
      Repeats::kLastCounts);
  add_option(
      app, "--timeout", "DURATION",
      "How long to wait for an answer, for example 500ms or 1m (default 5s)",
      [&options](const std::string& text) {
        options.timeout = read_duration(text);
        if (options.timeout.count() == 0)
          reject("cannot read --timeout '" + text + "': it must be more than nothing");
      },
      Repeats::kLastCounts);
}

// Only the command that is named, where `verb` names one, and its options only once it is reached:
// a process asks for one, and making all of them would cost each.
template <class T>
void add_command(CLI::App& app, Options& options, std::string_view verb, const char* name,
                 const char* about) {
  if (!verb.empty() && verb != name) return;
  CLI::App* sub = app.add_subcommand(name, about);
  sub->preparse_callback([sub, &options](std::size_t /*args_left*/) {
    add_options(*sub, options.command.emplace<T>());
    add_global(*sub, options);
  });
}

// A command that has commands of its own, which `add` adds.
void add_group(CLI::App& app, Options& options, std::string_view verb, const char* name,
               const char* about, void (*add)(CLI::App&, Options&)) {
  if (!verb.empty() && verb != name) return;
  CLI::App* sub = app.add_subcommand(name, about);
  sub->preparse_callback([sub, &options, add](std::size_t /*args_left*/) {
    add_global(*sub, options);
    add(*sub, options);
    sub->require_subcommand(0, 1);
  });
}

void add_limit_commands(CLI::App& app, Options& options) {
  add_command<LimitGet>(app, options, {}, "get", "Show a user's limit and where it comes from");
  add_command<LimitSet>(app, options, {}, "set", "Give a user a limit or a plan");
  add_command<LimitUnset>(app, options, {}, "unset", "Remove a user's own limit and plan");
  add_command<LimitList>(app, options, {}, "list",
                         "List the users who have a limit or plan of their own");
  app.footer(
      "See concur limit COMMAND --help for its options.\n"
      "Examples:\n"
      "  concur limit get --user abc\n"
      "  concur limit set --user abc --max 5");
}

void add_plan_commands(CLI::App& app, Options& options) {
  add_command<PlanSet>(app, options, {}, "set", "Create or change a plan");
  add_command<PlanUnset>(app, options, {}, "unset", "Remove a plan");
  add_command<PlanList>(app, options, {}, "list", "List the plans");
  app.footer(
      "See concur plan COMMAND --help for its options.\n"
      "Examples:\n"
      "  concur plan set premium --max 5\n"
      "  concur plan list");
}

void add_fleet_commands(CLI::App& app, Options& options) {
  add_command<FleetCheck>(app, options, {}, "check",
                          "Say what is wrong with the fleet's engine and how to mend it");
  add_command<FleetShow>(app, options, {}, "status",
                         "Show the fleet: primaries, other boxes, counts");
  app.footer(
      "See concur fleet COMMAND --help for its options, and concurrencyd-fleet(7).\n"
      "Examples:\n"
      "  concur fleet check --output table\n"
      "  concur fleet status");
}

void add_block_commands(CLI::App& app, Options& options) {
  add_command<BlockList>(app, options, {}, "list", "List the users who are blocked");
}

// What names a command.
struct Words {
  std::string_view verb{};  // empty where there is none
  bool lists_blocks = false;
};

// The one that is named, or all where none is.
void add_commands(CLI::App& app, Options& options, const Words& words) {
  const std::string_view verb = words.verb;
  add_command<Start>(app, options, verb, "start", "Start a session, or renew it if it is active");
  add_command<Explain>(app, options, verb, "explain",
                       "Say what would become of a start, and why, without doing it");
  add_command<Heartbeat>(app, options, verb, "heartbeat", "Renew an active session");
  add_command<End>(app, options, verb, "end", "End a session");
  add_command<List>(app, options, verb, "list", "List the active sessions");
  add_command<Purge>(
      app, options, verb, "purge",
      "End the sessions of a user, an address, a device or a title, idle ones, or all");
  add_command<Run>(app, options, verb, "run",
                   "Run a command as a session, from its start to its end");
  add_command<Report>(
      app, options, verb, "report",
      "Report accounts that are probably shared: denials, evictions, peaks, devices");
  add_command<Status>(app, options, verb, "status",
                      "Show the daemon's state: version, uptime, health, rates, database");
  add_group(app, options, verb, "limit", "Show, set, remove or list users' limits",
            add_limit_commands);
  add_group(app, options, verb, "plan",
            "Set, remove or list plans: named limits that users can be given", add_plan_commands);
  add_group(app, options, verb, "fleet", "Check or show the fleet that this box is one of",
            add_fleet_commands);
  if (words.lists_blocks) {
    add_group(app, options, verb, "block", "Keep a user out, or list those who are",
              add_block_commands);
  } else {
    add_command<Block>(app, options, verb, "block", "Keep a user out, or list those who are");
  }
  add_command<Unblock>(app, options, verb, "unblock", "Let a user in again");
  add_command<Batch>(app, options, verb, "batch",
                     "Execute commands from standard input, one JSON object per line");
  add_command<Watch>(app, options, verb, "watch",
                     "Print events as they happen, one JSON object per line");
  add_command<Backup>(app, options, verb, "backup",
                      "Copy the database while the daemon is running");
  add_command<Top>(app, options, verb, "top",
                   "Show the daemon's activity live: rates, shared accounts, denials");
}

// The word that names the command.
std::vector<std::string>::iterator find_verb(std::vector<std::string>& args) {
  auto verb = args.begin();
  while (verb != args.end() && verb->starts_with("--")) {
    const bool has_value = *verb == "--socket" || *verb == "--timeout";
    verb += has_value && verb + 1 != args.end() ? 2 : 1;
  }
  return verb;
}

// `concur help COMMAND`, as many programs have it, is `concur COMMAND --help`; so is what follows
// `concur limit help`.
void take_help(std::vector<std::string>& args) {
  auto word = find_verb(args);
  if (word != args.end() && (*word == "limit" || *word == "plan" || *word == "fleet")) {
    ++word;
  }
  if (word == args.end() || *word != "help") return;
  args.erase(word);
  args.emplace_back("--help");
}

// Cuts off what follows the first `--` of `concur run`: the command to run, none of whose words is
// concur's to read.
std::vector<std::string> take_command(std::vector<std::string>& args) {
  const auto verb = find_verb(args);
  if (verb == args.end() || *verb != Run::kVerb) return {};
  const auto mark = std::find(verb, args.end(), "--");
  if (mark == args.end()) return {};
  std::vector<std::string> command(mark + 1, args.end());
  args.erase(mark, args.end());
  return command;
}

// The command that was named, as far as it was: `app` itself where none was. `words` is what names
// it.
const CLI::App& chosen_of(const CLI::App& app, std::string& words) {
  const CLI::App* chosen = &app;
  for (auto next = app.get_subcommands(); !next.empty(); next = chosen->get_subcommands()) {
    chosen = next.front();
    words += " " + chosen->get_name();
  }
  return *chosen;
}

bool has_commands(const CLI::App& app) { return !app.get_subcommands({}).empty(); }

Error usage_error(const CLI::App& app, std::string message) {
  std::string words;
  chosen_of(app, words);
  return {ErrorKind::kInvalid, text::format("{}; see concur{} --help", message, words)};
}

// The first word that nothing takes, and why.
std::string cause_of_rest(const CLI::App& app) {
  const auto rest = app.remaining(true);
  const std::string first = rest.empty() ? "" : decode_words(rest.front());
  std::string words;
  if (first.starts_with('-')) return text::format("there is no option '{}' here", first);
  if (!has_commands(chosen_of(app, words))) {
    return text::format("there is no argument '{}' here", first);
  }
  return text::format("there is no command '{}'",
                      words.empty() ? first : words.substr(1) + " " + first);
}

// What CLI11 itself found wrong, in the words of every other error.
std::string cause_of(const CLI::ParseError& error, const CLI::App& app) {
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) return cause_of_rest(app);
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    const std::string_view text = error.what();
    return text::format("{} takes exactly one value", text.substr(0, text.find(':')));
  }
  if (dynamic_cast<const CLI::ConversionError*>(&error) != nullptr) return "a flag takes no value";
  return decode_words(error.what());
}

}  // namespace

Result<std::variant<Options, Text>> parse_options(std::vector<std::string> args) {
  Options options;
  CLI::App app(
      "Asks concurrencyd which video streams may play and prints its answer, which is JSON",
      "concur");
  app.set_version_flag("--version", "concur " CONCUR_VERSION, "Print the version");
  add_global(app, options);
  take_help(args);
  const auto verb = find_verb(args);
  if (verb != args.end()) {
    const bool lists_blocks = *verb == "block" && verb + 1 != args.end() && verb[1] == "list";
    add_commands(app, options, {*verb, lists_blocks});
  }
  if (!has_commands(app)) add_commands(app, options, {});
  app.require_subcommand(0, 1);
  app.footer(
      "See concur help COMMAND, or concur COMMAND --help, for its options and examples.\n"
      "Exit status: 0 done, 1 refused, 2 invalid request, 3 no answer, 4 not permitted, 5 no such "
      "session");

  auto command = take_command(args);
  args = encode_words(args);
  std::reverse(args.begin(), args.end());  // as CLI11 takes them
  try {
    app.parse(std::move(args));
    std::string words;
    if (has_commands(chosen_of(app, words))) {
      return usage_error(app, text::format("cannot run: no command is given{}{}",
                                           words.empty() ? "" : " after", words));
    }
    if (auto* run = std::get_if<Run>(&options.command)) run->command = std::move(command);
    std::visit([](const auto& chosen) { check(chosen); }, options.command);
  } catch (const CLI::CallForHelp&) {
    if (app.remaining_size(true) == 0) return Text{app.help()};
    return usage_error(app, text::format("cannot help: {}", cause_of_rest(app)));
  } catch (const CLI::CallForVersion& version) {
    return Text{text::format("{}\n", version.what())};
  } catch (const CLI::ValidationError& error) {
    return Error{ErrorKind::kInvalid, error.what()};
  } catch (const CLI::ParseError& error) {
    return usage_error(app, text::format("cannot run: {}", cause_of(error, app)));
  }
  if (options.sockets.empty()) options.sockets = default_socket_paths();
  return options;
}

}  // namespace concur::cli
