#pragma once

#include "base/clock.hpp"
#include "command.hpp"
#include "event_mark.hpp"
#include "net/client_answer.hpp"
#include "net/client_stream.hpp"

#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace concur::cli {

// One line of the stream of events.
struct SeenEvent {
  EventMark mark;
  std::string name;
  std::string user;  // empty where it is nobody's
  std::string line;  // as it came, without its end
};

// The events after a mark, over connections that come again whenever one is lost: nothing is read
// twice, and what the daemon does not keep it says itself, by `dropped`.
class EventFeed {
 public:
  // The paths are those of the daemon's sockets, in the order to try. Nothing is opened before the
  // first call of connect().
  EventFeed(std::vector<std::string> paths, Watch watch, EventMark from);

  // Connects if it is time to, without waiting for the daemon.
  void connect();

  // The time to call connect(); none while there is a connection.
  std::optional<Instant> due() const;

  // What to poll for: fd() is -1 where there is no connection.
  int fd() const { return stream_ ? stream_->fd() : -1; }
  short events() const { return stream_ ? stream_->events(true) : short{0}; }

  // After a poll found something: what came. kCorrupt where that is not concurrencyd's; then, and
  // once it was refused, there is no going on.
  Result<std::vector<SeenEvent>> advance();

  // What the daemon answered in place of events, and always would.
  const std::optional<HttpAnswer>& refusal() const { return refusal_; }

  // The last event that was read.
  const EventMark& last() const { return last_; }

 private:
  Result<std::vector<SeenEvent>> take_lines();
  void lose();

  std::vector<std::string> paths_;
  Watch watch_;
  EventMark last_;
  SystemClock clock_;
  std::minstd_rand random_{std::random_device{}()};
  std::optional<ClientStream> stream_;
  std::optional<HttpAnswer> refusal_;
  std::string rest_;    // a line that is not whole yet
  bool lost_ = false;   // which has been said
  bool begun_ = false;  // this connection has brought something
  Millis pause_;        // before the next connection
  Instant due_;
};

}  // namespace concur::cli
