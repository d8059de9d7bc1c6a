#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "command.hpp"
#include "net/client.hpp"

#include <optional>
#include <random>
#include <string>

namespace concur::cli {

// Keeps one session alive while a command runs. An outage is the time in which the daemon does not
// answer; the session outlives it as long as its lease does.
class SessionKeeper {
 public:
  enum class State {
    kHeld,    // the lease runs, or may run
    kLapsed,  // it ran out in an outage: whether the daemon kept the session is not known
    kNone,    // no start was ever allowed
    kGone,    // ended by others
  };

  // Both must outlive the keeper. Nothing is asked before the first call.
  SessionKeeper(Client& client, const Start& start);

  // The first start: the daemon's answer, or an Error where there is none. Where it is allowed the
  // state is kHeld. It waits for room, as long as its command says.
  Result<HttpAnswer> start() { return start(start_); }

  // Whether an answer or Error of start() is none of the daemon's judgement.
  static bool is_unavailable(const Result<HttpAnswer>& answer);
  static std::string cause_of(const Result<HttpAnswer>& answer);

  // Does what is due: a heartbeat, or another start. Complains once an outage, and where the
  // session is gone.
  void tick();

  // Ends the session, where there may be one; complains where one that was held cannot be ended.
  void end();

  // The start got no answer, which the caller has reported.
  void go_on_without();

  State state() const { return state_; }
  Instant due() const { return due_; }  // of the next tick()

 private:
  Result<HttpAnswer> start(const Start& start);
  void beat();
  void start_again();
  void held(const HttpAnswer& answer, Instant asked);
  void lost(const HttpAnswer& answer);
  void failed(const Result<HttpAnswer>& answer);
  Millis jittered(Millis interval);

  Client& client_;
  const Start& start_;
  SystemClock clock_;
  std::minstd_rand random_{std::random_device{}()};
  State state_ = State::kNone;
  Millis interval_;
  Instant lease_end_;
  Instant due_;
  bool may_exist_ = false;  // a start was allowed, or sent and not answered
  // Of that start, where the daemon gives one: what is done to a later start of the same session is
  // not for this keeper to undo.
  std::optional<std::string> token_;
  bool outage_reported_ = false;
  bool denial_reported_ = false;
};

}  // namespace concur::cli
