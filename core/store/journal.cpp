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

// None where the journal stops, or nothing has come by then.
std::optional<Batch> Journal::next(std::chrono::steady_clock::time_point until) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, until, [this] { return handed_ || stopping_; });
  return std::exchange(handed_, std::nullopt);
}

Journal::State Journal::state() {
  const std::lock_guard lock(mutex_);
  return handed_ ? State::kBusy : stopping_ ? State::kStopping : State::kIdle;
}

// Tidies in steps between two commits, and looks whether it should once a second at most: looking
// costs as much as a small commit.
void Journal::run() {
  constexpr auto kOften = std::chrono::seconds(1);
  constexpr auto kLongest = std::chrono::hours(24);
  using Steady = std::chrono::steady_clock;
  Steady::time_point tidy_at = Steady::now();
  std::int64_t oldest_hour = 0;
  bool untidy = false;
  while (true) {
    const auto batch = next(untidy ? tidy_at : Steady::now() + kLongest);
    if (batch) {
      done_(store_.commit(batch->changes, batch->offset));
      oldest_hour = batch->oldest_hour;
      untidy = true;
    }
    const State now = state();
    if (now == State::kStopping) return;
    if (now == State::kBusy || !untidy || Steady::now() < tidy_at) continue;
    untidy = store_.trim_history(oldest_hour) || store_.give_back_space();
    if (!untidy) tidy_at = Steady::now() + kOften;
  }
}

}  // namespace concur
