#include "service/reporter.hpp"

#include "base/text.hpp"

#include <pthread.h>

#include <utility>

namespace concur {

Reporter::Reporter(std::string path) : path_(std::move(path)) {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "reports");
}

Reporter::~Reporter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (reading_ != nullptr) reading_->interrupt();
  }
  changed_.notify_one();
  thread_.join();
}

bool Reporter::submit(ReportQuery query, std::int64_t first_hour, Done done) {
  {
    const std::lock_guard lock(mutex_);
    if (orders_.size() >= kMostWaiting) return false;
    orders_.push_back({std::move(query), first_hour, std::move(done)});
  }
  changed_.notify_one();
  return true;
}

void Reporter::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !orders_.empty(); });
    if (stopping_) return;
    const Order order = std::move(orders_.front());
    orders_.pop_front();
    lock.unlock();
    order.done(read(order));
    lock.lock();
  }
}

// The connection is a read's own, so that none stands open for days.
Result<Report> Reporter::read(const Order& order) {
  const auto cannot = [this](const Error& error) {
    return Error{error.kind,
                 text::format("cannot read the record in {}: {}", path_, error.message)};
  };
  auto reader = ReportReader::open(path_);
  if (!reader) return cannot(reader.error());
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return Error{ErrorKind::kUnavailable, "cannot report: the daemon is stopping"};
    reading_ = &*reader;
  }
  auto report = reader->read(order.query, order.first);
  {
    const std::lock_guard lock(mutex_);
    reading_ = nullptr;
  }
  if (!report) return cannot(report.error());
  return report;
}

}  // namespace concur
