#pragma once

#include "command.hpp"
#include "net/client.hpp"
#include "top/snapshot.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace concur::cli {

// Follows the daemon's events for the denials among them. Where the events end, as at the daemon's
// restart, connect() goes on after the last one seen.
class DenialTail {
 public:
  // Does nothing where it is connected, or was refused. Waits for the connection only; an error is
  // no matter: it is tried again with the next call.
  void connect(Client& client);

  // For poll(2); -1 where there is no connection.
  int fd() const { return stream_ ? stream_->fd() : -1; }
  short events() const { return stream_ ? stream_->events(true) : short{0}; }

  // After a poll. Puts what came in front of `denials`, which keeps the newest; true where that
  // changed anything.
  bool advance(std::deque<Denial>& denials);

  bool refused() const { return refused_; }

 private:
  bool read_lines(std::deque<Denial>& denials);

  std::optional<ClientStream> stream_;
  std::string rest_;        // a line that is not whole yet
  Watch next_{.since = 0};  // what comes after the last event seen
  bool refused_ = false;
};

}  // namespace concur::cli
