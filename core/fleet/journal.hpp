#pragma once

#include "base/callback.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/loop_runner.hpp"
#include "service/counts.hpp"
#include "session/change.hpp"
#include "store/commit_thread.hpp"
#include "store/store.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace concur {

// What a box of a fleet stores in its own database: beside what it commits to the engine, and
// waited for by no answer. What could not be committed is kept and tried again, up to a bound. For
// the loop's thread alone.
class Journal {
 public:
  // Changes that wait; beyond it, while the disk fails, new ones are not stored.
  static constexpr std::size_t kMaxWaiting = 1'000'000;
  // From one commit to the next, where nobody waits for it: all that comes meanwhile is one commit.
  static constexpr Millis kPause{50};

  // `path` is the database's, for the log. All references must outlive it.
  Journal(LoopRunner& runner, const Clock& clock, Logger& log, Store store, std::string path);
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Committed soon, with all that comes until then.
  void add(Change&& change);
  // Calls `then` once all that was added so far is stored, or could not be.
  void when_stored(Callback<void()> then);
  // To be called often: commits what is due.
  void go_on() { flush(); }
  // To be called once a second: tries again what failed, and looks after the files.
  void tick();

  // Why the last commit failed; empty while they work.
  const std::string& trouble() const { return trouble_; }
  const CommitCounts& counts() const { return counts_; }
  std::size_t waiting() const { return waiting_.size() + under_way_.size(); }
  const std::shared_ptr<DatabaseFiles>& files() const { return files_; }
  void trim_before(std::int64_t hour) { thread_.trim_before(hour); }

  // Calls `done` once nothing waits any more, or it cannot be stored.
  void finish(Callback<void()> done);

 private:
  void flush();
  bool is_due() const;
  void hand_over();
  void on_outcome(const CommitOutcome& outcome);
  void release(std::vector<Callback<void()>>&& those);

  LoopRunner& runner_;
  const Clock& clock_;
  Logger& log_;
  std::string path_;
  std::shared_ptr<DatabaseFiles> files_;
  OwnStep<&Journal::flush, Journal> flush_step_{*this};
  std::vector<Change> waiting_;
  std::vector<Change> under_way_;  // a copy of what is being committed
  bool committing_ = false;
  std::uint64_t term_ = 1;
  std::size_t dropped_ = 0;
  std::string trouble_;
  Now began_;
  CommitCounts counts_;
  std::vector<Callback<void()>> after_this_;  // commit
  std::vector<Callback<void()>> after_next_;
  Callback<void()> finished_;
  CommitThread thread_;  // last: it calls back until it is joined
};

}  // namespace concur
