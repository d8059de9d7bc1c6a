#include "store/commit_thread.hpp"

#include <pthread.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace concur {

CommitThread::CommitThread(Store store, Done done)
    : store_(std::move(store)), done_(std::move(done)) {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "commits");
}

CommitThread::~CommitThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
  store_.before_close();
}

void CommitThread::submit(Batch batch) {
  {
    const std::lock_guard lock(mutex_);
    if (batch.term == failed_term_) return;
    if (handed_) {
      std::ranges::move(batch.changes, std::back_inserter(handed_->changes));
      handed_->upto = batch.upto;
      handed_->offset = batch.offset;
      return;
    }
    handed_ = std::move(batch);
  }
  changed_.notify_one();
}

// Waits for a batch, for the end, or until it is time for maintenance after a commit.
CommitThread::Job CommitThread::next(Steady::time_point maintain_at) {
  std::unique_lock lock(mutex_);
  const auto called = [this] { return handed_ || stopping_; };
  changed_.wait(lock, [&] { return called() || maintenance_due_; });
  if (!called()) changed_.wait_until(lock, maintain_at, called);
  Job job{std::exchange(handed_, std::nullopt), false};
  job.stop = !job.batch && stopping_;
  maintenance_due_ = job.batch.has_value();
  return job;
}

CommitOutcome CommitThread::commit(const Batch& batch) {
  const std::lock_guard lock(at_store_);
  const std::uint64_t rewrites = store_.rewrites();
  CommitOutcome outcome{batch.part ? store_.write_anew(batch.changes, batch.offset, *batch.part)
                                   : store_.commit(batch.changes, batch.offset),
                        batch.upto, batch.changes.size()};
  outcome.is_part = batch.part.has_value();
  outcome.unreadable = store_.unreadable();
  outcome.rewrote = store_.rewrites() != rewrites;
  if (!outcome.result) outcome.advice = store_.advice();
  return outcome;
}

CommitOutcome CommitThread::commit_next(const Batch& batch) {
  auto outcome = commit(batch);
  if (outcome.result) return outcome;
  const std::lock_guard lock(mutex_);
  failed_term_ = batch.term;
  handed_.reset();
  return outcome;
}

CommitOutcome CommitThread::commit_inline(const Batch& batch) {
  auto outcome = commit(batch);
  call_for_maintenance();
  return outcome;
}

// Maintenance goes in steps between two commits, for a fifth of the time where commits may come,
// and it is looked for once a second at most: looking costs as much as a small commit.
void CommitThread::run() {
  constexpr auto kLookEvery = std::chrono::seconds(1);
  constexpr int kRest = 4;  // as long as a step took
  Steady::time_point maintain_at = Steady::now();
  while (true) {
    const Job job = next(maintain_at);
    if (job.stop) return;
    if (job.batch) {
      done_(commit_next(*job.batch));
      catch_up();
      continue;
    }
    const auto began = Steady::now();
    if (maintain()) {
      call_for_maintenance();
      const auto now = Steady::now();
      maintain_at = now + kRest * (now - began);
    } else {
      maintain_at = Steady::now() + kLookEvery;
    }
  }
}

// True where there is more to do.
bool CommitThread::maintain() {
  const std::lock_guard lock(at_store_);
  return store_.fold_usage() || store_.trim_history(oldest_hour_) || store_.give_back_space();
}

// What waits to be folded stays bounded, however busy it is.
void CommitThread::catch_up() {
  const std::lock_guard lock(at_store_);
  if (store_.has_backlog()) store_.fold_usage();
}

void CommitThread::trim_before(std::int64_t hour) {
  if (oldest_hour_.exchange(hour) != hour) call_for_maintenance();
}

void CommitThread::call_for_maintenance() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(maintenance_due_, true)) return;
  }
  changed_.notify_one();
}

}  // namespace concur
