#pragma once

#include "base/callback.hpp"
#include "base/result.hpp"

#include <pthread.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <utility>

namespace concur {

// How what takes long on a worker's thread is ended early.
class Interruption {
 public:
  // What `work` gives, during which `cancel` may be called from another thread, to make it end
  // soon. kUnavailable where it is not to begin any more.
  template <class Work>
  auto run(std::function<void()> cancel, const Work& work) -> decltype(work()) {
    {
      const std::lock_guard lock(mutex_);
      if (stopped_) return Error{ErrorKind::kUnavailable, "the daemon is stopping"};
      cancel_ = std::move(cancel);
    }
    auto outcome = work();
    const std::lock_guard lock(mutex_);
    cancel_ = nullptr;
    return outcome;
  }

  // Ends what is under way, and whatever else would begin.
  void stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    if (cancel_) cancel_();
  }

  bool stopped() {
    const std::lock_guard lock(mutex_);
    return stopped_;
  }

 private:
  std::mutex mutex_;
  std::function<void()> cancel_;
  bool stopped_ = false;
};

// Does what takes seconds, one job after the other on a thread of its own, so that no command waits
// for it. For the loop thread, but for the jobs.
template <class T>
class Worker {
 public:
  using Job = std::function<Result<T>(Interruption&)>;
  using Reply = Callback<void(Result<T>)>;

  // `max_jobs` may be under way or wait. The loop must outlive it.
  Worker(boost::asio::io_context& loop, const char* name, std::size_t max_jobs)
      : loop_(loop), max_jobs_(max_jobs) {
    boost::asio::post(thread_, [name] { pthread_setname_np(pthread_self(), name); });
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  // Ends the job under way; no further reply is called.
  ~Worker() {
    interruption_.stop();
    thread_.stop();
    thread_.join();
  }

  bool full() const { return replies_.size() >= max_jobs_; }

  // Calls `reply` with what the job gave, in a later turn of the loop. Only where it is not full.
  void submit(Job job, Reply reply) {
    // It stays here, for what it holds, such as a connection, must be let go of on this thread.
    replies_.push_back(std::move(reply));
    boost::asio::post(thread_, [this, job = std::move(job)] {
      if (interruption_.stopped()) return;
      boost::asio::post(loop_, [this, outcome = job(interruption_)]() mutable {
        const Reply first = std::move(replies_.front());
        replies_.pop_front();
        first(std::move(outcome));
      });
    });
  }

 private:
  boost::asio::io_context& loop_;
  std::size_t max_jobs_;
  std::deque<Reply> replies_;  // in the order of the jobs
  Interruption interruption_;
  boost::asio::thread_pool thread_{1};
};

}  // namespace concur
