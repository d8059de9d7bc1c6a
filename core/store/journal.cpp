#include "store/journal.hpp"

#include <pthread.h>

#include <cassert>
#include <utility>

namespace concur {

Journal::Journal(Store store, Done done) : store_(std::move(store)), done_(std::move(done)) {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "journal");
}

Journal::~Journal() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Journal::submit(Batch batch) {
  {
    const std::lock_guard lock(mutex_);
    assert(!handed_);
    handed_ = std::move(batch);
  }
  changed_.notify_one();
}

// Waits for a batch, for the end, or until it is time to tidy what was committed.
Journal::Errand Journal::next(Steady::time_point tidy_at) {
  std::unique_lock lock(mutex_);
  const auto called = [this] { return handed_ || stopping_; };
  changed_.wait(lock, [&] { return called() || untidy_; });
  if (!called()) changed_.wait_until(lock, tidy_at, called);
  Errand errand{std::exchange(handed_, std::nullopt), false};
  errand.stop = !errand.batch && stopping_;
  untidy_ = errand.batch.has_value();
  return errand;
}

Result<void> Journal::commit(const Batch& batch) {
  const std::lock_guard lock(at_store_);
  oldest_hour_ = batch.oldest_hour;
  return store_.commit(batch.changes, batch.offset);
}

Result<void> Journal::commit_here(const Batch& batch) {
  auto outcome = commit(batch);
  wants_tidying();
  return outcome;
}

// Tidies in steps between two commits, and looks whether it should once a second at most: looking
// costs as much as a small commit.
void Journal::run() {
  constexpr auto kOften = std::chrono::seconds(1);
  Steady::time_point tidy_at = Steady::now();
  while (true) {
    const Errand errand = next(tidy_at);
    if (errand.stop) return;
    if (errand.batch) {
      done_(commit(*errand.batch));
    } else if (tidy()) {
      wants_tidying();
    } else {
      tidy_at = Steady::now() + kOften;
    }
  }
}

// True where there is more to do.
bool Journal::tidy() {
  const std::lock_guard lock(at_store_);
  return store_.trim_history(oldest_hour_) || store_.give_back_space();
}

void Journal::wants_tidying() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(untidy_, true)) return;
  }
  changed_.notify_one();
}

}  // namespace concur
