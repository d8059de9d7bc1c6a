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

std::optional<Batch> Journal::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return handed_ || stopping_; });
  return std::exchange(handed_, std::nullopt);
}

bool Journal::is_idle() {
  const std::lock_guard lock(mutex_);
  return !handed_ && !stopping_;
}

void Journal::run() {
  while (const auto batch = next()) {
    done_(store_.commit(batch->changes, batch->offset));
    while (is_idle() && (store_.trim_history(batch->oldest_hour) || store_.give_back_space())) {
    }
  }
}

}  // namespace concur
