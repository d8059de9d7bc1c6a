#include "service/copier.hpp"

#include "base/text.hpp"

#include <pthread.h>

#include <utility>

namespace concur {

Copier::~Copier() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (copying_ != nullptr) copying_->interrupt();
  }
  if (thread_.joinable()) thread_.join();
}

bool Copier::submit(Done done) {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(busy_, true)) return false;
  }
  if (thread_.joinable()) thread_.join();  // it has nothing left to do
  thread_ = std::thread([this, done = std::move(done)] {
    auto copied = copy();
    {
      const std::lock_guard lock(mutex_);
      busy_ = false;
    }
    done(std::move(copied));
  });
  pthread_setname_np(thread_.native_handle(), "backup");
  return true;
}

Result<Fd> Copier::copy() {
  const auto cannot = [this](const Error& error) {
    return Error{error.kind, text::format("cannot copy {}: {}", path_, error.message)};
  };
  auto copy = DatabaseCopy::open(path_);
  if (!copy) return cannot(copy.error());
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return Error{ErrorKind::kUnavailable, "cannot back up: the daemon is stopping"};
    copying_ = &*copy;
  }
  auto made = copy->make();
  {
    const std::lock_guard lock(mutex_);
    copying_ = nullptr;
  }
  if (!made) return cannot(made.error());
  return made;
}

}  // namespace concur
