#pragma once

#include "load/cluster.hpp"
#include "load/connection.hpp"
#include "load/outcome.hpp"
#include "load/pacer.hpp"
#include "load/work.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace concur::bench {

struct LoopSettings {
  Servers servers;
  /// Clients, each with a connection to each server.
  unsigned connections;
  unsigned pipeline;
  bool bursts;
  Pace pace;
  /// Keeps the latencies of each second apart too.
  bool by_second;
  /// For a server that answers 200 to everything.
  bool expect_only_200;
};

/// Opens the connections, keeps each as full as its pipeline and the pace allow, and measures, all
/// on the calling thread.
class Loop {
 public:
  /// Throws std::runtime_error if a connection cannot be opened. `dialect`, `names` and `work`
  /// must outlive the loop.
  Loop(const LoopSettings& settings, const Dialect& dialect, const SessionNames& names, Work& work);

  /// Returns when the pace has ended and all is answered, when no connection is left, or when no
  /// answer came for ten seconds.
  Outcome run();

 private:
  void handle(std::size_t at, unsigned events);
  void add_to_second(const Answered& answered, Clock::time_point now);
  void take_answer(const Answered& answered, Clock::time_point now);
  void ask(Connection& connection, const Request& request, Clock::time_point now);
  void top_up(std::size_t at, Clock::time_point now);
  void ask_owner(std::size_t client, Clock::time_point now);
  void send_due(Clock::time_point now);
  void flush(std::size_t at);
  void watch(std::size_t at);
  void drop(std::size_t at, const std::string& why);
  void wait_for_events(Clock::time_point now);

  Servers servers_;
  const SessionNames* names_;
  Work* work_;
  Pacer pacer_;
  bool by_second_;
  bool expect_only_200_;
  Fd epoll_;
  std::vector<Connection> connections_;
  // Whether epoll also reports that a connection takes more bytes.
  std::vector<bool> watching_writes_;
  std::size_t open_ = 0;
  std::size_t next_to_send_ = 0;
  std::size_t unanswered_ = 0;
  Clock::time_point begin_;
  Clock::time_point last_answer_;
  // When something was last answered, or asked while nothing else was.
  Clock::time_point waiting_since_;
  Outcome outcome_;
};

}  // namespace concur::bench
