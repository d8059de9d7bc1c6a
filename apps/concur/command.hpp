#pragma once

#include "base/clock.hpp"

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
  std::optional<Millis> ttl;
  std::optional<std::uint32_t> limit;
  std::optional<std::string> device;
  std::optional<std::string> ip;
  std::optional<std::string> content;
  std::vector<std::pair<std::string, std::string>> meta;
};

// What to do where the daemon does not answer.
enum class IfUnavailable { kAllow, kDeny };

struct Run {
  static constexpr const char* kVerb = "run";
  Start start;
  IfUnavailable if_unavailable = IfUnavailable::kAllow;
  std::vector<std::string> command;  // what to run and its arguments; not empty
};

struct Heartbeat {
  static constexpr const char* kVerb = "heartbeat";
  SessionName name;
};

struct End {
  static constexpr const char* kVerb = "end";
  SessionName name;
};

enum class ListFormat { kJson, kNdjson, kTable };

struct List {
  static constexpr const char* kVerb = "list";
  std::optional<std::string> user;  // of all users where none is named
  ListFormat format = ListFormat::kJson;
};

// Exactly one of user, idle and all is set.
struct Purge {
  static constexpr const char* kVerb = "purge";
  std::optional<std::string> user;
  std::optional<Millis> idle;
  bool all = false;
  bool dry_run = false;
};

struct Status {
  static constexpr const char* kVerb = "show the status";
};

using Command = std::variant<Start, Heartbeat, End, List, Purge, Run, Status>;

}  // namespace concur::cli
