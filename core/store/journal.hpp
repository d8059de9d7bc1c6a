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

// Commits batches of changes on a thread of its own, one at a time: while one is being synced, the
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

 private:
  enum class State { kBusy, kIdle, kStopping };

  void run();
  std::optional<Batch> next(std::chrono::steady_clock::time_point until);
  State state();

  Store store_;
  Done done_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Batch> handed_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace concur
