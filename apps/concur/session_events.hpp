#pragma once

#include "base/clock.hpp"
#include "command.hpp"
#include "net/client_stream.hpp"

#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace concur::cli {

// Follows the events of one user over a connection of its own, to learn at once that a session may
// be gone. It knows less than a heartbeat's answer: what it says is that one is worth sending.
//
// It may fail in any way, and is then tried again after a pause: heartbeats go on without it.
class SessionEvents {
 public:
  // The paths are those of the daemon's sockets, in the order to try. Nothing is opened before the
  // first call of connect().
  SessionEvents(std::vector<std::string> paths, SessionName name);

  // Connects if it is time to, without waiting for the daemon. First to be called before the
  // session is started: then nothing that happens to it is missed.
  void connect();

  // The time to call connect(); none while there is a connection, or where the daemon does not
  // show this process the events.
  std::optional<Instant> due() const;

  // What to poll for: fd() is -1 where there is no connection.
  int fd() const { return stream_ ? stream_->fd() : -1; }
  short events() const { return stream_ ? stream_->events(true) : short{0}; }

  // After a poll found something: whether the session may be gone. True also when another than the
  // first connection has begun, for what happened before was not seen.
  bool advance();

 private:
  enum class State { kNotConnected, kAsked, kFollowing, kNotPermitted };

  bool take_lines();
  bool concerns_session(std::string_view line) const;
  void lose();

  std::vector<std::string> paths_;
  SessionName name_;
  SystemClock clock_;
  std::minstd_rand random_{std::random_device{}()};
  State state_ = State::kNotConnected;
  std::optional<ClientStream> stream_;  // while kAsked or kFollowing
  bool first_ = true;                   // connection
  std::string rest_;                    // a line that is not whole yet
  Millis pause_;                        // before the next connection
  Instant due_;
  Instant following_since_;  // while kFollowing
};

}  // namespace concur::cli
