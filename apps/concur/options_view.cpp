#include "command_options.hpp"
#include "option_values.hpp"

namespace concur::cli {

namespace {

constexpr std::uint32_t kMaxTop = 1000;
constexpr Millis kMinInterval{100};

void add_output(CLI::App& app, OutputFormat& format) {
  add_option(app, "--output", "json|table", "The daemon's JSON, or tables for people",
             [&format](const std::string& text) {
               format = read_format(text, {OutputFormat::kJson, OutputFormat::kTable});
             });
}

}  // namespace

void add_options(CLI::App& app, Report& report) {
  add_option(app, "--since", "DURATION", "How far back to look (default 7d)",
             [&report](const std::string& text) { report.since = read_duration(text); });
  add_option(
      app, "--top", "N", "How many users to name, at most 1000 (default 20)",
      [&report](const std::string& text) { report.top = read_count("--top", text, kMaxTop); });
  add_text(app, "--user", "USER", "Report only this user, hour by hour", report.user);
  add_option(app, "--what-if-limit", "N", "Also count the users whom this limit would have refused",
             [&report](const std::string& text) {
               report.what_if_limit = read_limit("--what-if-limit", text);
             });
  add_option(app, "--output", "json|table|html|csv",
             "The daemon's JSON, tables for people, a page to mail, or a spreadsheet's lines",
             [&report](const std::string& text) {
               report.format = read_format(text, {OutputFormat::kJson, OutputFormat::kTable,
                                                  OutputFormat::kHtml, OutputFormat::kCsv});
             });
  add_text(app, "FILE", "", "Where html or csv goes in place of standard output", report.file);
  add_footer(app,
             "Examples:\n"
             "  concur report --output table\n"
             "  concur report --since 30d --output html sharers.html\n"
             "  concur report --since 30d --what-if-limit 2 | jq .whatIf\n"
             "  concur report --user abc --since 1d --output table");
}

void add_options(CLI::App& app, Status& status) {
  add_output(app, status.format);
  add_footer(app,
             "Examples:\n"
             "  concur status | jq .sessions\n"
             "  concur status --output table");
}

void add_options(CLI::App& app, FleetCheck& check) {
  add_output(app, check.format);
  add_footer(app,
             "Asks each server of the engine, which takes up to 4 s where some do not answer.\n"
             "Examples:\n"
             "  concur fleet check --output table\n"
             "  concur fleet check | jq -r '.findings[].what'\n"
             "Exit status: 0 nothing serious, 2 a problem is to be mended, or there is no fleet");
}

void add_options(CLI::App& app, FleetShow& show) {
  add_output(app, show.format);
  add_footer(app,
             "Examples:\n"
             "  concur fleet status --output table\n"
             "  concur fleet status | jq -r .state");
}

void add_options(CLI::App& app, Top& top) {
  add_option(app, "--interval", "DURATION", "How often to ask the daemon (default 2s)",
             [&top](const std::string& text) {
               top.interval = read_duration(text);
               if (top.interval < kMinInterval) {
                 reject("cannot read --interval '" + text + "': it must be at least 100ms");
               }
             });
  add_footer(
      app,
      "The key q or Ctrl-C ends it. If standard output is no terminal it prints one line per "
      "interval.\n"
      "Examples:\n"
      "  concur top\n"
      "  concur top --interval 1m >>concurrencyd.log\n"
      "Exit status: 0 ended by q, SIGINT or SIGTERM, 3 standard output cannot be written, 4 not "
      "permitted");
}

void check(const Report& report) {
  if (report.user && report.user->empty()) {
    reject("cannot report: --user is empty; leave it out to report on all users");
  }
  if (report.user && report.what_if_limit) {
    reject("cannot report: --what-if-limit is for all users; leave out --user");
  }
  if (!report.file) return;
  if (report.file->empty()) reject("cannot report: the name of FILE is empty");
  if (report.format != OutputFormat::kHtml && report.format != OutputFormat::kCsv) {
    reject("cannot report: FILE goes with --output html or csv");
  }
}

void check(const Status& /*status*/) {}

void check(const FleetCheck& /*check*/) {}

void check(const FleetShow& /*show*/) {}

void check(const Top& /*top*/) {}

}  // namespace concur::cli
