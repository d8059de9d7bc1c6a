#include "store/page_check.hpp"

#include "store/schema.hpp"
#include "store/sqlite.hpp"

#include <chrono>

namespace concur {

namespace {

constexpr auto kLookAgain = std::chrono::milliseconds(100);

}  // namespace

// The policy that is left open falls back where there is no thread.
PageCheck::PageCheck(const std::string& path)
    : verdict_(std::async(std::launch::async | std::launch::deferred, [this, path] {
        auto verdict = run(path);
        if (!verdict) failed_.store(true, std::memory_order_relaxed);
        return verdict;
      })) {}

Result<void> PageCheck::wait(const ReportWork* report) {
  while (verdict_.wait_for(kLookAgain) == std::future_status::timeout) {
    if (!progressed_.exchange(false) || report == nullptr) continue;
    (*report)(checking_pages(read_, pages_));
  }
  return verdict_.get();
}

Result<void> PageCheck::run(const std::string& path) {
  auto db = Sqlite::open_reading(path);
  if (!db) return db.error();
  pages_ = db->pages();
  const std::function<bool()> go_on = [this, &db] {
    read_.store(db->pages_read(), std::memory_order_relaxed);
    progressed_.store(true, std::memory_order_relaxed);
    return true;
  };
  db->on_progress(&go_on);
  return check_pages(*db);
}

}  // namespace concur
