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

// Commits batches of changes, one at a time, on a thread of its own: while one is being synced,
// what is handed over becomes the next (group commit; DeWitt et al., "Implementation Techniques for
// Main Memory Database Systems", 1984).
class Journal {
 public:
  // Called on the journal's thread, once for each batch, in order, up to the first that failed.
  using Done = std::function<void(Result<void>)>;

  Journal(Store store, Done done);
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Finishes what was handed over, then closes the database.
  ~Journal();

  // Hands changes over. True where they join the batch that was handed over last, which waits for
  // the one under way still: both are one then, with the later clock. After a batch that failed
  // whatever is handed over is dropped, for it may build on that: until recover().
  bool submit(Batch batch);

  // What failed was taken back by the caller; what is handed over from here on does not build on
  // it.
  void recover();

  // Commits one batch on the caller's thread, which waits for the disk; `done` is not called. Only
  // while no other is under way, and none may be handed over meanwhile.
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
  Result<void> commit_or_fail(const Batch& batch);
  bool tidy();
  void catch_up();
  void wants_tidying();

  std::mutex at_store_;  // held by who is at the database
  Store store_;
  std::int64_t oldest_hour_ = 0;
  Done done_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Batch> handed_;  // the next one
  bool failed_ = false;
  // There were commits since it was tidied, or may have been before this journal was there.
  bool untidy_ = true;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace concur
