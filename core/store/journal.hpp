#pragma once

#include "store/store.hpp"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace concur {

struct Batch {
  std::vector<Change> changes;
  Millis offset{};
  std::int64_t oldest_hour = 0;  // the record of who shares is trimmed up to here
};

// Commits batches of changes, one at a time, on a thread of its own: while one is being synced, the
// next collects with the caller (group commit; DeWitt et al., "Implementation Techniques for Main
// Memory Database Systems", 1984).
class Journal {
 public:
  // Called on the journal's thread, once for each batch, in order.
  using Done = std::function<void(Result<void>)>;

  Journal(Store store, Done done);
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Finishes the batch at hand, then closes the database.
  ~Journal();

  // Hands one batch over. Only after the one before was done.
  void submit(Batch batch);

  // Commits one batch on the caller's thread, which waits for the disk; `done` is not called. Only
  // after the one before was done.
  Result<void> commit_here(const Batch& batch);

 private:
  using Steady = std::chrono::steady_clock;
  struct Errand {
    std::optional<Batch> batch;  // none: it is time to tidy
    bool stop = false;
  };

  void run();
  Errand next(Steady::time_point tidy_at);
  Result<void> commit(const Batch& batch);
  bool tidy();
  void wants_tidying();

  std::mutex at_store_;  // held by who is at the database
  Store store_;
  std::int64_t oldest_hour_ = 0;
  Done done_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Batch> handed_;
  bool untidy_ = false;  // there were commits since it was tidied
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace concur
