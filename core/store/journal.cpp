#include "store/journal.hpp"

#include <pthread.h>

#include <algorithm>
#include <iterator>
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

bool Journal::submit(Batch batch) {
  {
    const std::lock_guard lock(mutex_);
    if (failed_) return false;
    if (handed_) {
      std::ranges::move(batch.changes, std::back_inserter(handed_->changes));
      handed_->offset = batch.offset;
      handed_->oldest_hour = batch.oldest_hour;
      return true;
    }
    handed_ = std::move(batch);
  }
  changed_.notify_one();
  return false;
}

void Journal::recover() {
  const std::lock_guard lock(mutex_);
  failed_ = false;
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

Result<void> Journal::commit_or_fail(const Batch& batch) {
  auto outcome = commit(batch);
  if (outcome) return outcome;
  const std::lock_guard lock(mutex_);
  failed_ = true;
  handed_.reset();
  return outcome;
}

Result<void> Journal::commit_here(const Batch& batch) {
  auto outcome = commit(batch);
  wants_tidying();
  return outcome;
}

// Tidies in steps between two commits, for a fifth of the time where commits may come, and looks
// whether it should once a second at most: looking costs as much as a small commit.
void Journal::run() {
  constexpr auto kOften = std::chrono::seconds(1);
  constexpr int kRest = 4;  // as long as a step took
  Steady::time_point tidy_at = Steady::now();
  while (true) {
    const Errand errand = next(tidy_at);
    if (errand.stop) return;
    if (errand.batch) {
      done_(commit_or_fail(*errand.batch));
      catch_up();
      continue;
    }
    const auto began = Steady::now();
    if (tidy()) {
      wants_tidying();
      const auto now = Steady::now();
      tidy_at = now + kRest * (now - began);
    } else {
      tidy_at = Steady::now() + kOften;
    }
  }
}

// True where there is more to do.
bool Journal::tidy() {
  const std::lock_guard lock(at_store_);
  return store_.add_up_history() || store_.trim_history(oldest_hour_) || store_.give_back_space();
}

// What waits to be added up stays bounded, however busy it is.
void Journal::catch_up() {
  const std::lock_guard lock(at_store_);
  if (store_.is_behind()) store_.add_up_history();
}

void Journal::wants_tidying() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(untidy_, true)) return;
  }
  changed_.notify_one();
}

}  // namespace concur
