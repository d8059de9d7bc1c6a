#pragma once

#include "base/callback.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"
#include "service/counts.hpp"
#include "service/event_log.hpp"
#include "session/answer.hpp"
#include "session/command.hpp"
#include "session/policy.hpp"
#include "session/report.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace concur {

// Events since the start, and a second, averaged over the last minute.
struct Rate {
  std::uint64_t total = 0;
  double per_second = 0;
};

struct ServiceStatus {
  std::uint64_t sessions = 0;
  std::uint64_t users = 0;
  Policy policy;
  Rate starts;  // allowed ones, renewals not counted
  Rate denials;
  Rate heartbeats;  // allowed ones, renewals by start among them
  Rate ends;
  Rate evictions;  // reconnects from the same device among them
  Rate expiries;
  Counts counts;
  std::uint64_t events = 0;  // published
  std::size_t watchers = 0;
  std::string database;
  std::uint64_t database_bytes = 0;
  std::uint64_t wal_bytes = 0;
  std::uint64_t commits = 0;          // failed ones among them
  std::uint64_t changes_waiting = 0;  // decided, and not stored yet
  std::string trouble;                // why the last commit failed; empty while all is well
};

// Where streams are counted: the one way in for commands, the one way out for answers. The local
// one decides in memory and remembers in SQLite; a fleet's would ask a cluster. For the loop thread
// alone.
class Service {
 public:
  // Gets the answer when everything it tells of is durable; kUnavailable where that cannot be had,
  // and then nothing of the command has happened, but that a purge of all users may have got as far
  // as it did.
  // Has room for what the api holds a response's way back in.
  using Reply = Callback<void(Result<Answer>&&), 32>;

  virtual ~Service() = default;

  // Calls `reply` exactly once, on the loop thread, perhaps before it returns. The command's views
  // are not needed after that return.
  virtual void submit(const Command& command, Reply reply) = 0;

  // Says that this user will be asked about in a moment, perhaps with others. Nothing hangs on it.
  virtual void foresee(std::string_view /*user*/) {}

  // Who shares, of all that happened until now. Takes its time beside the commands; kUnavailable
  // where too many are asked for at once.
  using ReportReply = Callback<void(Result<Report>)>;
  virtual void report(const ReportQuery& query, ReportReply reply) = 0;

  // A copy of all that is durable at one moment, as a database that can be used in its place.
  // kUnavailable where it cannot be made, or another is being made.
  using BackupReply = Callback<void(Result<Fd>)>;
  virtual void backup(BackupReply reply) = 0;

  virtual void set_policy(const Policy& policy) = 0;
  // How long the record of who shares is kept.
  virtual void set_history(Millis history) = 0;
  virtual ServiceStatus status() const = 0;

  // What happened, each event when what it tells of is durable.
  virtual EventLog& events() = 0;

  // Calls `done` when everything decided so far is stored, leases too, or cannot be. For a clean
  // stop: no submit after it.
  virtual void finish(std::function<void()> done) = 0;
};

}  // namespace concur
