#include "base/loop_runner.hpp"

#include <pthread.h>

#include <thread>

namespace concur {

void LoopRunner::run() {
  std::thread other([this] {
    while (follow()) lead();
  });
  pthread_setname_np(other.native_handle(), "stand-in");
  do {
    lead();
  } while (follow());
  other.join();
  if (failure_) std::rethrow_exception(failure_);
}

// Until the loop ends, or another thread has taken over.
void LoopRunner::lead() {
  std::unique_lock lock(mutex_);
  const std::uint64_t term = term_;
  while (term == term_) {
    lock.unlock();
    const bool ran = run_one();
    lock.lock();
    if (ran || (term != term_ && !failure_)) continue;
    over_ = true;
    loop_.stop();  // for whoever took over from one who failed
    changed_.notify_all();
    return;
  }
}

// False where that was the last of it.
bool LoopRunner::run_one() {
  try {
    return loop_.run_one() > 0;
  } catch (...) {
    const std::lock_guard lock(mutex_);
    failure_ = std::current_exception();
    return false;
  }
}

// True where it is for this thread to lead, false where all is over. It looks at a wait twice: one
// that goes on meanwhile is long.
bool LoopRunner::follow() {
  std::unique_lock lock(mutex_);
  while (!over_) {
    resting_ = true;
    changed_.wait(lock, [this] { return waiting_ || over_; });
    resting_ = false;
    const std::uint64_t seen = waits_;
    changed_.wait_for(lock, kPatience, [this] { return over_; });
    if (over_ || !waiting_ || waits_ != seen) continue;
    waiting_ = false;
    ++term_;
    return true;
  }
  return false;
}

std::uint64_t LoopRunner::begin_wait() {
  std::unique_lock lock(mutex_);
  waiting_ = true;
  ++waits_;
  const std::uint64_t term = term_;
  const bool call = resting_;
  lock.unlock();
  if (call) changed_.notify_one();
  return term;
}

// Whether the loop is still this thread's.
bool LoopRunner::end_wait(std::uint64_t term) {
  const std::lock_guard lock(mutex_);
  if (term != term_) return false;
  waiting_ = false;
  return true;
}

}  // namespace concur
