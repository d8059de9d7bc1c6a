#pragma once

#include "base/turn.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <utility>

namespace concur {

// Runs a loop on one thread at a time, and goes on with it on another one when the first is held up
// by something slow, such as a disk (Leader/Followers: Schmidt, Stal, Rohnert, Buschmann,
// "Pattern-Oriented Software Architecture", volume 2, 2000). To wait in place spares two hops from
// thread to thread as long as what one waits for is quick.
class LoopRunner {
 public:
  // How long one handler may hold the loop up: it is at most twice as long until another thread
  // takes over.
  static constexpr std::chrono::milliseconds kPatience{10};

  // The loop must outlive it.
  explicit LoopRunner(boost::asio::io_context& loop) : loop_(loop), turn_(loop) {}
  LoopRunner(const LoopRunner&) = delete;
  LoopRunner& operator=(const LoopRunner&) = delete;

  boost::asio::io_context& loop() { return loop_; }
  // What is done once in each of the loop's turns.
  Turn& turn() { return turn_; }

  // Until the loop is stopped or has no work left, and whoever was held up is back. What a handler
  // throws comes out here.
  void run();

  // Called by a handler of the loop as the last thing that it does with what belongs to the loop.
  // `work` may take long, and must not touch that. `after` is given its outcome at once, or in a
  // handler of its own where another thread took over. One at a time: none may begin before the
  // `after` of the last one.
  template <class Work, class After>
  void wait_for(Work work, After after) {
    const std::uint64_t term = begin_wait();
    auto outcome = work();
    if (end_wait(term)) return after(std::move(outcome));
    boost::asio::post(loop_, [after = std::move(after), outcome = std::move(outcome)]() mutable {
      after(std::move(outcome));
    });
  }

 private:
  void lead();
  bool run_one();
  bool follow();
  std::uint64_t begin_wait();
  bool end_wait(std::uint64_t term);

  boost::asio::io_context& loop_;
  Turn turn_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t term_ = 0;   // a new one each time another thread takes over
  std::uint64_t waits_ = 0;  // how many began
  bool waiting_ = false;     // the leader is held up
  bool resting_ = false;     // the follower wants to be notified when one begins
  bool over_ = false;
  std::exception_ptr failure_;  // of a handler
};

}  // namespace concur
