#pragma once

#include "base/callback.hpp"
#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"
#include "service/fleet_findings.hpp"
#include "service/service_config.hpp"
#include "service/status.hpp"
#include "session/answer.hpp"
#include "session/command.hpp"
#include "session/report.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace concur {

// How long a start may wait for room at most.
inline constexpr Millis kMaxWait = std::chrono::hours(1);

// Where streams are counted: the one way in for commands, the one way out for answers. The local
// one decides in memory and remembers in SQLite; a fleet's decides here and commits to an engine
// that many share. What happened, it publishes to the EventLog that it was made with, each event
// when what it says is durable. For the loop thread alone.
//
// Errors of all that is asked:
//   kInvalid, kAbsent  The command cannot be carried out as things stand. Nothing happened.
//   kUnavailable       No answer could be had, and nothing of the command has happened, but that a
//                      purge of all users may have got as far as it did.
//   kTimeout           No answer could be had, and it may have happened, or may happen yet. Ask
//                      again: a repeated start renews, a repeated end finds nothing to end.
//   kUnsupported       Not with this service; the message says what to do in its place.
class Service {
 public:
  // Has room for what the api keeps with a command until it is answered.
  using Reply = Callback<void(Result<Answer>&&), 56>;

  virtual ~Service() = default;

  // Calls `ready` once commands are answered as the policy says; perhaps before it returns.
  virtual void when_ready(Callback<void()> ready) = 0;

  // Calls `reply` exactly once, on the loop thread, perhaps before it returns, and no sooner than
  // all that the answer says is durable. `now` is the time, just read: for who decides by the clock
  // and who measures both need it. The command's views are not needed after the return.
  virtual void submit(const Command& command, const Now& now, Reply reply) = 0;

  // A start that waits for room, at most so long, where it is denied for want of it: it is answered
  // once it is let in, or the time is over; all else is as of submit(). Whoever does not let starts
  // wait answers at once. Gives the place where it waits, for leave(); kNoPlace where it is
  // answered already, or does not wait.
  using Place = std::uint64_t;
  static constexpr Place kNoPlace = 0;
  virtual Place submit_waiting(const Start& start, Millis /*wait*/, const Now& now, Reply reply) {
    submit(start, now, std::move(reply));
    return kNoPlace;
  }

  // Nobody is there any more for whom the start in that place would wait: it is answered soon, as
  // denied where it is not let in already. Does nothing where nobody waits there.
  virtual void leave(Place /*place*/) {}

  // A hint: a command about this user is about to be submitted, perhaps with others. What their
  // lookups wait for is fetched for all of them at once.
  virtual void prefetch(std::string_view /*user*/) {}

  // Who shares, of all that happened until now. Takes its time beside the commands; kUnavailable
  // where too many are asked for at once.
  using ReportReply = Callback<void(Result<Report>)>;
  virtual void report(const ReportQuery& query, ReportReply reply) = 0;

  // A copy of all that is durable at one moment, as a database that can be used in its place.
  // kUnavailable where it cannot be made, or another is being made; kUnsupported where sessions are
  // not kept here.
  using BackupReply = Callback<void(Result<Fd>)>;
  virtual void backup(BackupReply reply) = 0;
  // The same of what is kept here, where that is not all.
  virtual void backup_local(BackupReply reply) { backup(std::move(reply)); }

  // What is wrong with the fleet's engine and its boxes, and how to mend it. It asks each server,
  // which may take some seconds. kUnavailable while another check is under way; kUnsupported where
  // there is no fleet.
  using CheckReply = Callback<void(Result<FleetFindings>)>;
  virtual void check_fleet(CheckReply reply) {
    reply(
        Error{ErrorKind::kUnsupported,
              "cannot check the fleet: this daemon is not part of one; see concurrencyd-fleet(7)"});
  }

  virtual void configure(const ServiceConfig& config) = 0;

  // Why starts and ends are refused at present; empty while all is well. Cheap.
  virtual const std::string& trouble() const = 0;

  // As known now: it waits for nobody. Not for every request.
  virtual ServiceStatus status() const = 0;

  // Calls `done` when everything decided so far is stored, leases too, or cannot be. For a clean
  // stop: no submit after it.
  virtual void finish(Callback<void()> done) = 0;
};

}  // namespace concur
