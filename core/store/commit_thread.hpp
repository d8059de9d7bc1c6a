#pragma once

#include "store/store.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace concur {

// Changes that become durable together.
struct Batch {
  std::vector<Change> changes;
  Sequence upto = 0;  // the number of the last of them
  Millis offset{};
  // All that is decided between two roll-backs. A batch may build on those before it in its term.
  std::uint64_t term = 1;
  // Of a new database, that is written in the place of one that cannot be read any more.
  std::optional<Store::Part> part{};
};

// What came of one commit.
struct CommitOutcome {
  Result<void> result;
  Sequence upto = 0;        // what is durable now, where it worked
  std::size_t changes = 0;  // of all batches that went into it
  bool rewrote = false;     // the files had been taken away, and all was written to new ones
  bool unreadable = false;  // Store::unreadable(), where it failed
  bool is_part = false;     // of a new database
  std::string advice{};     // Store::advice(), where it failed
};

// Commits batches of changes, one at a time, on a thread of its own: while one is being synced,
// those that are handed over become the next (group commit; DeWitt et al., "Implementation
// Techniques for Main Memory Database Systems", 1984). Maintains the database in between.
class CommitThread {
 public:
  // Called on that thread, once for each commit, in order.
  using Done = std::function<void(CommitOutcome)>;

  CommitThread(Store store, Done done);
  CommitThread(const CommitThread&) = delete;
  CommitThread& operator=(const CommitThread&) = delete;

  // Commits what was handed over, then closes the database.
  ~CommitThread();

  // Hands a batch over. It joins those that wait for the commit under way. After a commit that
  // failed, whatever else comes of its term is dropped, and `done` is not called for it.
  void submit(Batch batch);

  // Commits one batch on the caller's thread, which waits for the disk; `done` is not called. Only
  // while no other is under way, and none may be handed over meanwhile.
  CommitOutcome commit_inline(const Batch& batch);

  // Maintenance removes what is recorded of hours before this one (since 1970). From any thread.
  void trim_before(std::int64_t hour);

 private:
  using Steady = std::chrono::steady_clock;
  struct Job {
    std::optional<Batch> batch;  // none: it is time for maintenance
    bool stop = false;
  };

  void run();
  Job next(Steady::time_point maintain_at);
  CommitOutcome commit(const Batch& batch);
  CommitOutcome commit_next(const Batch& batch);
  bool maintain();
  void catch_up();
  void call_for_maintenance();

  std::mutex at_store_;  // held by who is at the database
  Store store_;
  std::atomic<std::int64_t> oldest_hour_ = 0;
  Done done_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Batch> handed_;  // the next one
  std::uint64_t failed_term_ = 0;
  bool maintenance_due_ = true;  // set by each commit, by another hour, and at the start
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace concur
