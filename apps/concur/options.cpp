#include "options.hpp"

#include "base/duration.hpp"
#include "socket_paths.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <functional>
#include <string_view>

namespace concur::cli {

namespace {

// Thrown inside CLI11's callbacks and caught in parse_options: carries a whole message.
[[noreturn]] void reject(std::string message) { throw CLI::ValidationError(std::move(message)); }

Millis read_duration(const std::string& text) {
  const auto value = parse_duration(text);
  if (!value) reject(value.error().message);
  return *value;
}

std::uint32_t read_count(const char* option, const std::string& text) {
  std::uint32_t value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, failed] = std::from_chars(text.data(), end, value);
  if (failed != std::errc() || rest != end) {
    reject(fmt::format("cannot read {} '{}': it takes a whole number from 0 to 4294967295", option,
                       text));
  }
  return value;
}

std::pair<std::string, std::string> read_pair(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) {
    reject(fmt::format("cannot read --meta '{}': it takes KEY=VALUE", text));
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

ListFormat read_format(const std::string& text) {
  if (text == "json") return ListFormat::kJson;
  if (text == "ndjson") return ListFormat::kNdjson;
  if (text == "table") return ListFormat::kTable;
  reject(fmt::format("cannot read --output '{}': it takes json, ndjson or table", text));
}

// Values are taken as they are: CLI11's own conversions give meaning to texts such as {} and [a],
// and ids are opaque.
CLI::Option* add_option(CLI::App& app, const char* name, const char* value, const char* about,
                        std::function<void(const std::string&)> take) {
  return app
      .add_option(
          name,
          [take = std::move(take)](const CLI::results_t& texts) {
            for (const auto& text : texts) take(text);
            return true;
          },
          about)
      ->type_name(value);
}

template <class Text>
CLI::Option* add_text(CLI::App& app, const char* name, const char* value, const char* about,
                      Text& to) {
  return add_option(app, name, value, about, [&to](const std::string& text) { to = text; });
}

void add_global(CLI::App& app, Options& options) {
  add_option(app, "--socket", "PATH",
             "The daemon's socket; else CONCUR_SOCKET's, else the service's or this user's",
             [&options](const std::string& text) {
               if (text.empty()) reject("cannot read --socket: it is empty");
               options.sockets = {text};
             })
      ->take_last();
  add_option(app, "--timeout", "DURATION",
             "How long to wait for an answer, such as 500ms or 1m (default 5s)",
             [&options](const std::string& text) {
               options.timeout = read_duration(text);
               if (options.timeout.count() == 0)
                 reject("cannot read --timeout '" + text + "': it must be more than nothing");
             })
      ->take_last();
}

void add_name(CLI::App& app, SessionName& name) {
  add_text(app, "--user", "USER", "The account", name.user);
  add_text(app, "--session", "SESSION", "The stream, as its client names it", name.session);
}

void check_name(const char* verb, const SessionName& name) {
  if (!name.user.empty() && !name.session.empty()) return;
  reject(fmt::format("cannot {}: Please specify a userId and sessionId", verb));
}

void add_start_options(CLI::App& app, Start& start) {
  add_name(app, start.name);
  add_option(app, "--ttl", "DURATION", "How long the session counts without a heartbeat",
             [&start](const std::string& text) { start.ttl = read_duration(text); });
  add_option(app, "--limit", "N", "The user's limit for this start; 0 is unlimited",
             [&start](const std::string& text) { start.limit = read_count("--limit", text); });
  add_text(app, "--device", "ID", "The device the stream plays on", start.device);
  add_text(app, "--ip", "ADDRESS", "The viewer's address", start.ip);
  add_text(app, "--content", "ID", "What is played", start.content);
  add_option(app, "--meta", "KEY=VALUE", "Kept with the session; may be given more than once",
             [&start](const std::string& text) { start.meta.push_back(read_pair(text)); })
      ->take_all();
}

void add_options(CLI::App& app, Start& start) {
  add_start_options(app, start);
  app.footer(
      "Examples:\n"
      "  concur start --user abc --session xyz\n"
      "  concur start --user abc --session xyz --ttl 2m --device tv-1 --ip 192.0.2.7\n"
      "Exit status: 0 play, 1 denied, 2 mend the request, 3 no answer, 4 not permitted");
}

void add_options(CLI::App& app, Heartbeat& heartbeat) {
  add_name(app, heartbeat.name);
  app.footer(
      "Examples:\n"
      "  concur heartbeat --user abc --session xyz\n"
      "Exit status: 0 it goes on, 5 it ended, expired or was evicted, 3 no answer");
}

void add_options(CLI::App& app, End& end) {
  add_name(app, end.name);
  app.footer(
      "Examples:\n"
      "  concur end --user abc --session xyz\n"
      "Ending a session twice is fine: the answer says \"ended\":false and the exit status is 0");
}

void add_options(CLI::App& app, List& list) {
  add_text(app, "--user", "USER", "Only this user's sessions", list.user);
  add_option(app, "--output", "json|ndjson|table",
             "One JSON document, one session a line, or columns for people",
             [&list](const std::string& text) { list.format = read_format(text); });
  app.footer(
      "Examples:\n"
      "  concur list --user abc\n"
      "  concur list --output table\n"
      "  concur list --output ndjson | jq -r .user | sort | uniq -c");
}

void add_options(CLI::App& app, Purge& purge) {
  add_text(app, "--user", "USER", "All sessions of this user", purge.user);
  add_option(app, "--idle", "DURATION", "All sessions without a sign of life for this long",
             [&purge](const std::string& text) { purge.idle = read_duration(text); });
  app.add_flag("--all", purge.all, "All sessions of all users");
  app.add_flag("--dry-run", purge.dry_run, "Only tell how many it would be");
  app.footer(
      "Examples:\n"
      "  concur purge --idle 1h --dry-run\n"
      "  concur purge --user abc");
}

void add_options(CLI::App& app, Run& run) {
  add_start_options(app, run.start);
  add_option(
      app, "--if-unavailable", "allow|deny",
      "Without the daemon's answer: run without a session, or do not (default allow)",
      [&run](const std::string& text) {
        if (text != "allow" && text != "deny") {
          reject(fmt::format("cannot read --if-unavailable '{}': it takes allow or deny", text));
        }
        run.if_unavailable = text == "allow" ? IfUnavailable::kAllow : IfUnavailable::kDeny;
      });
  app.footer(
      "The command follows after --, with its own options.\n"
      "Examples:\n"
      "  concur run --user abc --session xyz -- ffmpeg -i in.mp4 -f hls out.m3u8\n"
      "  concur run --user abc --session xyz --if-unavailable deny -- ./stream.sh\n"
      "Exit status: the command's own, 128+N where signal N ended it; 1 denied, 5 the session is "
      "gone,\n"
      "2 mend the request, 3 no answer (deny), 4 not permitted, 126 and 127 the command cannot be "
      "run");
}

void add_options(CLI::App& app, Status& /*status*/) {
  app.footer(
      "Examples:\n"
      "  concur status | jq .sessions");
}

void check(const Start& start) { check_name(Start::kVerb, start.name); }
void check(const Heartbeat& heartbeat) { check_name(Heartbeat::kVerb, heartbeat.name); }
void check(const End& end) { check_name(End::kVerb, end.name); }

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

void check(const Run& run) {
  check_name(Run::kVerb, run.start.name);
  if (run.command.empty())
    reject("cannot run: no command is given after --; see concur run --help");
}

void check(const Status& /*status*/) {}

// The options of a command are made only once it is named: a process asks for one, and making all
// of them would cost each.
template <class T>
void add_command(CLI::App& app, Options& options, const char* name, const char* about) {
  CLI::App* sub = app.add_subcommand(name, about);
  sub->preparse_callback([sub, &options](std::size_t /*args_left*/) {
    add_options(*sub, options.command.emplace<T>());
    add_global(*sub, options);
  });
}

// CLI11 takes the argument after `--name=` for its value. It is the empty text that was meant: a
// script's variable was empty.
void split_empty_values(std::vector<std::string>& args) {
  for (auto arg = args.begin(); arg != args.end() && *arg != "--"; ++arg) {
    if (arg->starts_with("--") && arg->find('=') == arg->size() - 1) {
      arg->pop_back();
      arg = args.insert(arg + 1, std::string());
    }
  }
}

// Cuts off what follows the first `--` of `concur run`: the command to run, none of whose words is
// concur's to read.
std::vector<std::string> take_command(std::vector<std::string>& args) {
  auto verb = args.begin();
  while (verb != args.end() && verb->starts_with("--")) {
    const bool has_value = *verb == "--socket" || *verb == "--timeout";
    verb += has_value && verb + 1 != args.end() ? 2 : 1;
  }
  if (verb == args.end() || *verb != Run::kVerb) return {};
  const auto mark = std::find(verb, args.end(), "--");
  if (mark == args.end()) return {};
  std::vector<std::string> command(mark + 1, args.end());
  args.erase(mark, args.end());
  return command;
}

Error usage_error(const CLI::App& app, std::string message) {
  const auto chosen = app.get_subcommands();
  const std::string command = chosen.empty() ? "" : " " + chosen.front()->get_name();
  return {ErrorKind::kInvalid, fmt::format("{}; see concur{} --help", message, command)};
}

// What CLI11 itself found wrong, in the words of every other error.
std::string cause_of(const CLI::ParseError& error, const CLI::App& app) {
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    const auto rest = app.remaining(true);
    const bool option = !rest.empty() && rest.front().starts_with('-');
    if (!app.get_subcommands().empty() || option) {
      return fmt::format("there is no {} '{}' here", option ? "option" : "argument",
                         rest.empty() ? "" : rest.front());
    }
    return fmt::format("there is no command '{}'", rest.front());
  }
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    const std::string_view text = error.what();
    return fmt::format("{} takes exactly one value", text.substr(0, text.find(':')));
  }
  if (dynamic_cast<const CLI::ConversionError*>(&error) != nullptr) return "a flag takes no value";
  return error.what();
}

}  // namespace

Result<std::variant<Options, Text>> parse_options(std::vector<std::string> args) {
  Options options;
  CLI::App app("Asks concurrencyd which video streams may play, and prints its JSON answer",
               "concur");
  app.set_version_flag("--version", "concur " CONCUR_VERSION, "Print the version");
  add_global(app, options);
  add_command<Start>(app, options, "start", "Start a session, or renew it if it is active");
  add_command<Heartbeat>(app, options, "heartbeat", "Renew an active session");
  add_command<End>(app, options, "end", "End a session");
  add_command<List>(app, options, "list", "List the active sessions");
  add_command<Purge>(app, options, "purge", "End the sessions of a user, idle ones, or all");
  add_command<Run>(app, options, "run", "Run a command as a session that lives as long as it");
  add_command<Status>(app, options, "status", "Tell how the daemon is");
  app.require_subcommand(0, 1);
  app.footer(
      "See concur COMMAND --help for its options and examples.\n"
      "Exit status: 0 done, 1 denied, 2 mend the request, 3 no answer, 4 not permitted, 5 no such "
      "session");

  auto command = take_command(args);
  split_empty_values(args);
  std::reverse(args.begin(), args.end());
  try {
    app.parse(std::move(args));
    if (app.get_subcommands().empty()) {
      return usage_error(app, "cannot run: no command is given");
    }
    if (auto* run = std::get_if<Run>(&options.command)) run->command = std::move(command);
    std::visit([](const auto& chosen) { check(chosen); }, options.command);
  } catch (const CLI::CallForHelp&) {
    return Text{app.help()};
  } catch (const CLI::CallForVersion& version) {
    return Text{fmt::format("{}\n", version.what())};
  } catch (const CLI::ValidationError& error) {
    return Error{ErrorKind::kInvalid, error.what()};
  } catch (const CLI::ParseError& error) {
    return usage_error(app, fmt::format("cannot run: {}", cause_of(error, app)));
  }
  if (options.sockets.empty()) options.sockets = default_socket_paths();
  return options;
}

}  // namespace concur::cli
