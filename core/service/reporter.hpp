#pragma once

#include "base/result.hpp"
#include "session/report.hpp"
#include "store/report_reader.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace concur {

// Reads reports one after the other on a thread of its own: one may take seconds, and no answer
// waits for it meanwhile.
class Reporter {
 public:
  static constexpr std::size_t kMostWaiting = 8;

  // Called on the reporter's thread.
  using Done = std::function<void(Result<Report>)>;

  explicit Reporter(std::string path);
  Reporter(const Reporter&) = delete;
  Reporter& operator=(const Reporter&) = delete;
  // Ends what is under way; of what waits nothing is heard any more.
  ~Reporter();

  // False where too many wait already; then `done` is not called.
  bool submit(ReportQuery query, std::int64_t first_hour, Done done);

 private:
  struct Order {
    ReportQuery query;
    std::int64_t first;
    Done done;
  };

  void run();
  Result<Report> read(const Order& order);

  std::string path_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Order> orders_;
  ReportReader* reading_ = nullptr;  // while one is under way
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace concur
