#include "base/text.hpp"
#include "command_options.hpp"
#include "option_values.hpp"

namespace concur::cli {

namespace {

void add_name(CLI::App& app, SessionName& name) {
  add_text(app, "--user", "USER", "The account", name.user);
  add_text(app, "--session", "SESSION", "The stream, by the name that its player chose",
           name.session);
}

void check_replace(const char* verb, const Start& start) {
  if (!start.replace || !start.replace_all) return;
  reject(text::format("cannot {}: --replace and --replace-all exclude each other", verb));
}

void check_name(const char* verb, const SessionName& name) {
  if (!name.user.empty() && !name.session.empty()) return;
  reject(text::format("cannot {}: Please specify a userId and sessionId", verb));
}

void add_ttl(CLI::App& app, std::optional<Millis>& ttl) {
  add_option(app, "--ttl", "DURATION", "How long the session counts without a heartbeat",
             [&ttl](const std::string& text) { ttl = read_duration(text); });
}

void add_token(CLI::App& app, std::optional<std::string>& start) {
  add_text(app, "--start", "TOKEN",
           "The start that is meant, by the token in its answer; an earlier one changes nothing",
           start);
}

void add_start_options(CLI::App& app, Start& start) {
  add_name(app, start.name);
  add_ttl(app, start.ttl);
  add_option(app, "--limit", "N",
             "The user's limit for this start; 0 means unlimited (operators only)",
             [&start](const std::string& text) { start.limit = read_limit("--limit", text); });
  add_text(app, "--device", "ID", "The device that plays the stream", start.device);
  add_text(app, "--ip", "ADDRESS", "The viewer's address", start.ip);
  add_text(app, "--content", "ID", "What is played", start.content);
  add_option(
      app, "--meta", "KEY=VALUE", "Anything else to keep with the session; may be repeated",
      [&start](const std::string& text) { start.meta.push_back(read_pair(text)); }, Repeats::kAll);
  add_on_limit(app, "If the limit is reached: deny the start, or evict the oldest session",
               start.on_limit);
  add_text(app, "--replace", "SESSION", "The session of the same user that this one replaces",
           start.replace);
  add_flag(app, "--replace-all", "Replace all other sessions of the user", start.replace_all);
  add_option(app, "--wait", "DURATION",
             "How long to wait for room where there is none, at most 1h; first come, first served",
             [&start](const std::string& text) { start.wait = read_duration(text); });
}

}  // namespace

void add_options(CLI::App& app, Start& start) {
  add_start_options(app, start);
  add_footer(app,
             "Examples:\n"
             "  concur start --user abc --session xyz\n"
             "  concur start --user abc --session xyz --ttl 2m --device tv-1 --ip 192.0.2.7\n"
             "  concur start --user abc --session xyz --replace old --on-limit evict-oldest\n"
             "  concur start --user abc --session xyz --wait 30s\n"
             "Exit status: 0 play, 1 the limit is reached or the user starts too often, 2 invalid "
             "request,\n3 no answer, 4 not permitted");
}

void add_options(CLI::App& app, Explain& explain) {
  add_start_options(app, explain.start);
  add_footer(app,
             "Says which rules would apply to that start, what counts for each, and what would "
             "happen;\nnothing is started. Without --session one more session is meant.\n"
             "Examples:\n"
             "  concur explain --user abc\n"
             "  concur explain --user abc --device tv-1 --meta type=tv | jq -r .message");
}

void add_options(CLI::App& app, Heartbeat& heartbeat) {
  add_name(app, heartbeat.name);
  add_ttl(app, heartbeat.ttl);
  add_token(app, heartbeat.start);
  add_footer(app,
             "Examples:\n"
             "  concur heartbeat --user abc --session xyz\n"
             "  concur heartbeat --user abc --session xyz --ttl 2m --start 19abc4f20d1.0\n"
             "Exit status: 0 renewed, 5 it ended, expired, was evicted or was started again, 3 no "
             "answer");
}

void add_options(CLI::App& app, End& end) {
  add_name(app, end.name);
  add_token(app, end.start);
  add_message(app, end.message);
  add_footer(
      app,
      "Examples:\n"
      "  concur end --user abc --session xyz\n"
      "  concur end --user abc --session xyz --start 19abc4f20d1.0\n"
      "Ending a session twice is no error: the answer says \"ended\":false, the exit status is 0");
}

void add_options(CLI::App& app, Run& run) {
  add_start_options(app, run.start);
  add_option(
      app, "--if-unavailable", "allow|deny",
      "Without an answer: allow runs the command without a session, deny does not (default allow)",
      [&run](const std::string& text) {
        if (text != "allow" && text != "deny") {
          reject(text::format("cannot read --if-unavailable '{}': it takes allow or deny", text));
        }
        run.if_unavailable = text == "allow" ? IfUnavailable::kAllow : IfUnavailable::kDeny;
      });
  add_footer(
      app,
      "The command and its options follow after --.\n"
      "Examples:\n"
      "  concur run --user abc --session xyz -- ffmpeg -i in.mp4 -f hls out.m3u8\n"
      "  concur run --user abc --session xyz --if-unavailable deny -- ./stream.sh\n"
      "  concur run --user abc --session nightly --wait 1h -- ./transcode.sh\n"
      "Exit status: the command's own, 128+N where signal N ended it; 1 the limit is reached or "
      "the user\n"
      "starts too often, 5 the session is gone, 2 invalid request, 3 no answer (deny), 4 not "
      "permitted,\n"
      "126 and 127 the command cannot be run. If a signal sent to concur ended the command, concur "
      "dies\n"
      "of it, too");
}

void check(const Start& start) {
  check_name(Start::kVerb, start.name);
  check_replace(Start::kVerb, start);
}
void check(const Explain& explain) {
  if (explain.start.name.user.empty()) reject("cannot explain: it takes --user USER");
}
void check(const Heartbeat& heartbeat) { check_name(Heartbeat::kVerb, heartbeat.name); }
void check(const End& end) { check_name(End::kVerb, end.name); }

void check(const Run& run) {
  check_name(Run::kVerb, run.start.name);
  check_replace(Run::kVerb, run.start);
  if (run.command.empty())
    reject("cannot run: no command is given after --; see concur run --help");
}

}  // namespace concur::cli
