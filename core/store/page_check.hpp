#pragma once

#include "base/progress.hpp"
#include "base/result.hpp"

#include <atomic>
#include <cstdint>
#include <future>
#include <string>

namespace concur {

// Checks all pages of a database (check_pages), by a thread and a read-only connection of its own,
// so that something else can be done meanwhile. Where no thread is to be had, wait() checks.
// Whoever makes it has the database open for longer than it lasts.
class PageCheck {
 public:
  explicit PageCheck(const std::string& path);
  ~PageCheck() = default;  // waits for the thread
  PageCheck(const PageCheck&) = delete;
  PageCheck& operator=(const PageCheck&) = delete;

  // Whether something was found already that wait() will return.
  bool has_failed() const { return failed_.load(std::memory_order_relaxed); }

  // Waits for the end and gives the verdict; once. Calls `report`, if any, now and then, as long
  // as the check makes progress.
  Result<void> wait(const ReportWork* report);

 private:
  Result<void> run(const std::string& path);

  std::atomic<bool> failed_ = false;
  std::atomic<bool> progressed_ = false;  // since it was last looked at
  std::atomic<std::uint64_t> pages_ = 0;  // that the database has
  std::atomic<std::uint64_t> read_ = 0;   // of them
  std::future<Result<void>> verdict_;     // the last, so that what its thread uses outlives it
};

}  // namespace concur
