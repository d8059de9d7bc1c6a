#include "base/text.hpp"
#include "command_options.hpp"
#include "option_values.hpp"

#include <optional>
#include <utility>

namespace concur::cli {

namespace {

void add_user(CLI::App& app, std::string& user) {
  add_text(app, "--user", "USER", "The account", user);
}

void add_max(CLI::App& app, const char* about, std::optional<std::uint32_t>& to) {
  add_option(app, "--max", "N", about,
             [&to](const std::string& text) { to = read_limit("--max", text); });
}

// NAME=N or NAME=default.
std::pair<std::string, std::optional<std::uint32_t>> read_rule(const std::string& text) {
  const std::size_t equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0) {
    reject("cannot read --rule '" + text + "': it takes NAME=N or NAME=default");
  }
  const std::string number = text.substr(equals + 1);
  std::optional<std::uint32_t> read;
  if (number != "default") read = read_limit("--rule", number, "default");
  return {text.substr(0, equals), read};
}

void add_rules(CLI::App& app, const char* about, RuleNumbers& to) {
  add_option(
      app, "--rule", "NAME=N", about,
      [&to](const std::string& text) { to.push_back(read_rule(text)); }, Repeats::kAll);
}

// A word in the place of a value takes back what is set.
template <class T, class Read>
Patch<T> read_patch(const char* none, const std::string& text, Read read) {
  if (text == none) return Patch<T>(std::in_place, std::nullopt);
  return Patch<T>(std::in_place, read(text));
}

void check_user(const char* verb, const std::string& user) {
  if (user.empty()) reject(text::format("cannot {}: it takes --user USER", verb));
}

void check_plan(const char* verb, const std::string& plan) {
  if (plan.empty()) reject(text::format("cannot {}: it takes the plan's NAME", verb));
}

}  // namespace

void add_options(CLI::App& app, LimitGet& get) {
  add_user(app, get.user);
  add_footer(app,
             "Examples:\n"
             "  concur limit get --user abc\n"
             "  concur limit get --user abc | jq .limit");
}

void add_options(CLI::App& app, LimitSet& set) {
  add_user(app, set.user);
  add_option(app, "--max", "N|default",
             "The user's own limit, which overrides the plan's; 0 means unlimited",
             [&set](const std::string& text) {
               set.max = read_patch<std::uint32_t>("default", text, [](const std::string& number) {
                 return read_limit("--max", number, "default");
               });
             });
  add_option(app, "--plan", "PLAN|none", "The user's plan, which must exist",
             [&set](const std::string& text) {
               set.plan = read_patch<std::string>("none", text,
                                                  [](const std::string& plan) { return plan; });
             });
  add_option(app, "--on-limit", "deny|evict-oldest|evict-newest|default",
             "If the limit is reached: deny the start, or evict a session",
             [&set](const std::string& text) {
               set.on_limit = read_patch<OnLimit>("default", text, [](const std::string& word) {
                 return read_on_limit(word, "default");
               });
             });
  add_rules(app,
            "The user's own number for a rule; 0 means unlimited, default the plan's or the rule's",
            set.rules);
  add_footer(app,
             "What is not given stays as it is; default and none take one setting back. Lowering a "
             "limit\n"
             "ends no session.\n"
             "Examples:\n"
             "  concur limit set --user abc --max 5\n"
             "  concur limit set --user abc --plan premium --on-limit evict-oldest\n"
             "  concur limit set --user abc --max default\n"
             "  concur limit set --user abc --rule tvs=2 --rule homes=default");
}

void add_options(CLI::App& app, LimitUnset& unset) {
  add_user(app, unset.user);
  add_footer(app,
             "Removes the user's own limit, plan and --on-limit; the daemon's apply then.\n"
             "Examples:\n"
             "  concur limit unset --user abc");
}

void add_options(CLI::App& app, LimitList& list) {
  add_option(app, "--output", "json|ndjson", "One JSON document, or one user per line",
             [&list](const std::string& text) {
               list.format = read_format(text, {OutputFormat::kJson, OutputFormat::kNdjson});
             });
  add_footer(app,
             "Examples:\n"
             "  concur limit list\n"
             "  concur limit list --output ndjson | jq -r 'select(.excess) | .user'");
}

void add_options(CLI::App& app, PlanSet& set) {
  add_text(app, "NAME", "", "The plan", set.plan);
  add_max(app, "The limit of the plan's users; 0 means unlimited", set.max);
  add_on_limit(app, "If the limit is reached: deny the start, or evict the oldest session",
               set.on_limit);
  add_rules(app, "The plan's number for a rule; 0 means unlimited, default the rule's own",
            set.rules);
  add_footer(app,
             "What is not given stays as it is. A new plan needs --max.\n"
             "Examples:\n"
             "  concur plan set premium --max 5\n"
             "  concur plan set premium --on-limit evict-oldest");
}

void add_options(CLI::App& app, PlanUnset& unset) {
  add_text(app, "NAME", "", "The plan", unset.plan);
  add_flag(app, "--force",
           "Remove it even if users have it; the daemon's limit applies to them then", unset.force);
  add_footer(app,
             "Examples:\n"
             "  concur plan unset premium\n"
             "  concur plan unset premium --force");
}

void add_options(CLI::App& app, PlanList& list) {
  add_text(app, "NAME", "", "Only this plan, with the number of its users who are above it",
           list.plan);
  add_footer(app,
             "Examples:\n"
             "  concur plan list\n"
             "  concur plan list premium | jq .users");
}

void check(const LimitGet& get) { check_user(LimitGet::kVerb, get.user); }

void check(const LimitSet& set) {
  check_user(LimitSet::kVerb, set.user);
  if (set.max || set.plan || set.on_limit || !set.rules.empty()) return;
  reject("cannot set the limit: it takes at least one of --max, --plan, --on-limit and --rule");
}

void check(const LimitUnset& unset) { check_user(LimitUnset::kVerb, unset.user); }

void check(const LimitList& /*list*/) {}

void check(const PlanSet& set) {
  check_plan(PlanSet::kVerb, set.plan);
  if (set.max || set.on_limit || !set.rules.empty()) return;
  reject("cannot set the plan: it takes at least one of --max, --on-limit and --rule");
}

void check(const PlanUnset& unset) { check_plan(PlanUnset::kVerb, unset.plan); }

void check(const PlanList& list) {
  if (list.plan && list.plan->empty()) {
    reject("cannot show the plans: NAME is empty; leave it out to list all plans");
  }
}

}  // namespace concur::cli
