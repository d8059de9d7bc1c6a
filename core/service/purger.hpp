#pragma once

#include "service/service.hpp"
#include "service/step_host.hpp"
#include "service/work_board.hpp"
#include "session/command.hpp"
#include "session/registry.hpp"

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

namespace concur {

// Purges of all users, one after the other, in steps, so that others are answered meanwhile. For
// the loop thread alone.
class Purger {
 public:
  static constexpr std::uint32_t kStep = 512;  // slots looked at between two turns
  // Changes that wait, beyond which it rests. A session that is purged makes two.
  static constexpr std::size_t kMaxBacklog = 2048;
  static constexpr std::size_t kMaxPurges = 16;  // under way or waiting for that

  // All must outlive it.
  Purger(boost::asio::io_context& loop, Registry& registry, StepHost& host, WorkBoard& board)
      : loop_(loop), registry_(registry), host_(host), board_(board) {}

  // `reply` is answered when all that was there at the call is purged and that is durable;
  // kUnavailable where too many are under way.
  void begin(const Purge& purge, Service::Reply reply);

  // To be called after each commit: a step for each, however much waits.
  void go_on() { schedule(); }

  // Refuses those under way, but for those that only count. What they have purged stays purged.
  void refuse(const std::string& why);
  // Refuses all, for the service ends.
  void stop(const std::string& why);

 private:
  struct Running {
    Purge purge;
    PurgeCursor cursor;
    Service::Reply reply;
    std::shared_ptr<LongWork> work;
    std::uint64_t count = 0;  // of the steps before
  };

  void schedule();
  void schedule_if_room();
  void step();

  boost::asio::io_context& loop_;
  Registry& registry_;
  StepHost& host_;
  WorkBoard& board_;
  std::deque<Running> running_;  // the first one is under way
  bool scheduled_ = false;
};

}  // namespace concur
