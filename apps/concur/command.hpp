#pragma once

#include "at_most.hpp"
#include "base/clock.hpp"
#include "on_limit.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace concur::cli {

// One struct a command; kVerb stands in its errors, `cannot <verb>: <cause>`.

// Neither is empty: a path with an empty segment would not reach the daemon's answer to it.
struct SessionName {
  std::string user;
  std::string session;
};

// Options that were not given are not sent: their defaults are the daemon's.
struct Start {
  static constexpr const char* kVerb = "start";
  SessionName name;
  std::optional<Millis> ttl{};
  std::optional<std::uint32_t> limit{};
  std::optional<std::string> device{};
  std::optional<std::string> ip{};
  std::optional<std::string> content{};
  std::vector<std::pair<std::string, std::string>> meta{};
  std::optional<OnLimit> on_limit{};
  std::optional<std::string> replace{};
  bool replace_all = false;      // not with replace
  std::optional<Millis> wait{};  // for room, where there is none
};

// What would become of that start.
struct Explain {
  static constexpr const char* kVerb = "explain";
  Start start;  // its session may be empty: one more is meant
};

// What to do where the daemon does not answer.
enum class IfUnavailable { kAllow, kDeny };

struct Run {
  static constexpr const char* kVerb = "run";
  Start start;
  IfUnavailable if_unavailable = IfUnavailable::kAllow;
  std::vector<std::string> command{};  // what to run and its arguments; not empty
};

struct Heartbeat {
  static constexpr const char* kVerb = "heartbeat";
  SessionName name;
  std::optional<Millis> ttl{};
  std::optional<std::string> start{};  // the token of the start that is meant
};

struct End {
  static constexpr const char* kVerb = "end";
  SessionName name;
  std::optional<std::string> start{};  // the token of the start that is meant
  std::optional<std::string> message{};
};

enum class OutputFormat { kJson, kNdjson, kTable, kHtml, kCsv };

struct List {
  static constexpr const char* kVerb = "list";
  std::optional<std::string> user{};  // of all users where none is named
  OutputFormat format = OutputFormat::kJson;
};

// Either all is set, and none of what says which, or one of that at least.
struct Purge {
  static constexpr const char* kVerb = "purge";
  std::optional<std::string> user{};
  std::optional<Millis> idle{};
  std::optional<Millis> older_than{};
  std::optional<std::string> ip{};
  std::optional<std::string> device{};
  std::optional<std::string> content{};
  std::vector<std::pair<std::string, std::string>> meta{};
  bool all = false;
  std::optional<Millis> block{};  // not with all
  std::optional<std::string> message{};
  bool dry_run = false;

  bool says_which() const {
    return user || idle || older_than || ip || device || content || !meta.empty();
  }
};

struct Block {
  static constexpr const char* kVerb = "block";
  std::string user;  // not empty
  std::optional<Millis> length{};
  std::optional<std::string> message{};
};

struct Unblock {
  static constexpr const char* kVerb = "unblock";
  std::string user;  // not empty
};

struct BlockList {
  static constexpr const char* kVerb = "list the blocks";
  OutputFormat format = OutputFormat::kJson;  // no table
};

// What is not given is the daemon's to choose.
struct Report {
  static constexpr const char* kVerb = "report";
  std::optional<Millis> since{};
  std::optional<std::uint32_t> top{};
  std::optional<std::string> user{};
  std::optional<std::uint32_t> what_if_limit{};  // not with user
  OutputFormat format = OutputFormat::kJson;     // not ndjson
  std::optional<std::string> file{};             // with html and csv alone; not empty
};

struct Status {
  static constexpr const char* kVerb = "show the status";
  OutputFormat format = OutputFormat::kJson;  // json or table
};

struct FleetCheck {
  static constexpr const char* kVerb = "check the fleet";
  OutputFormat format = OutputFormat::kJson;  // json or table
};

struct FleetShow {
  static constexpr const char* kVerb = "show the fleet";
  OutputFormat format = OutputFormat::kJson;  // json or table
};

struct LimitGet {
  static constexpr const char* kVerb = "show the limit";
  std::string user;  // not empty, here and below: a path with an empty segment names another thing
};

// Outer: whether it is to be changed; inner: to what, or back to the next in line.
template <class T>
using Patch = std::optional<std::optional<T>>;

// Numbers for rules; nothing: the default again.
using RuleNumbers = std::vector<std::pair<std::string, std::optional<std::uint32_t>>>;

// At least one of max, plan, on_limit and rules is set.
struct LimitSet {
  static constexpr const char* kVerb = "set the limit";
  std::string user;
  Patch<std::uint32_t> max{};
  Patch<std::string> plan{};
  Patch<OnLimit> on_limit{};
  RuleNumbers rules{};
};

struct LimitUnset {
  static constexpr const char* kVerb = "remove the limit";
  std::string user;
};

struct LimitList {
  static constexpr const char* kVerb = "list the limits";
  OutputFormat format = OutputFormat::kJson;  // no table
};

// At least one of max, on_limit and rules is set.
struct PlanSet {
  static constexpr const char* kVerb = "set the plan";
  std::string plan;
  std::optional<std::uint32_t> max{};
  std::optional<OnLimit> on_limit{};
  RuleNumbers rules{};
};

struct PlanUnset {
  static constexpr const char* kVerb = "remove the plan";
  std::string plan;
  bool force = false;
};

struct PlanList {
  static constexpr const char* kVerb = "show the plans";
  std::optional<std::string> plan{};  // all where none is named
};

struct Batch {
  static constexpr const char* kVerb = "batch";
};

// What is run for each event in place of printing it.
struct Exec {
  std::string command{};              // for /bin/sh; empty: events are printed
  std::vector<std::string> events{};  // their names; all where none is there
  std::optional<std::string> state{};
  std::optional<Rarely> at_most{};
};

struct Watch {
  static constexpr const char* kVerb = "watch";
  std::optional<std::string> user{};  // all users where none is named
  std::optional<std::uint64_t> since{};
  std::optional<std::string> boot{};  // the daemon's life that `since` is of
  bool renewed = false;
  Exec exec{};
};

struct Backup {
  static constexpr const char* kVerb = "back up";
  std::string file;    // where to; not empty
  bool local = false;  // of a box of a fleet: what it keeps itself
};

struct Top {
  static constexpr const char* kVerb = "show the daemon live";
  Millis interval{2000};
};

using Command =
    std::variant<Start, Explain, Heartbeat, End, List, Purge, Run, Report, Status, FleetCheck,
                 FleetShow, LimitGet, LimitSet, LimitUnset, LimitList, PlanSet, PlanUnset, PlanList,
                 Block, Unblock, BlockList, Batch, Watch, Backup, Top>;

}  // namespace concur::cli
