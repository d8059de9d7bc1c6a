#pragma once

#include "base/result.hpp"
#include "net/client.hpp"
#include "top/denial_tail.hpp"
#include "top/snapshot.hpp"

#include <boost/json.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace concur::cli {

// Asks the daemon, again and again, for what the screen shows.
class Collector {
 public:
  Collector(std::vector<std::string> sockets, Millis timeout)
      : client_(std::move(sockets), timeout) {}

  // From now on, while the daemon is waited for: see Client::look_after().
  void look_after(int fd, std::function<bool()> on_input) {
    client_.look_after(fd, std::move(on_input));
  }

  // The status alone. Without an answer the snapshot says so and keeps the rest; the Error is only
  // for who does not go on.
  Result<void> refresh_status();

  // Beside it who shares, which is not an error not to be shown, and the events again where they
  // had ended.
  Result<void> refresh();

  const Snapshot& snapshot() const { return snapshot_; }
  int events_fd() const { return denials_.fd(); }
  short events() const { return denials_.events(); }
  bool read_events();  // after a poll; whether there is something new to show

 private:
  using Time = std::chrono::steady_clock::time_point;

  Result<boost::json::object> get(const std::string& target);
  void take_status(const boost::json::object& status);
  void take_rates(const boost::json::object& rates);
  void ask_sharers();
  void ask_active(Sharer& sharer, const std::string& user);

  Client client_;
  Snapshot snapshot_;
  DenialTail denials_;
  Time last_status_{};
  Millis last_uptime_{-1};
};

}  // namespace concur::cli
