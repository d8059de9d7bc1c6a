#pragma once

#include "base/callback.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/log_throttle.hpp"
#include "base/loop_runner.hpp"
#include "base/turn.hpp"
#include "service/backlog.hpp"
#include "service/counts.hpp"
#include "service/service.hpp"
#include "session/registry.hpp"
#include "store/commit_thread.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace concur {

// Makes what the registry decided durable, in groups, and lets go of the answers that wait for it.
//
// All that is decided in a turn of the loop is one group. Groups go to the commit thread, and those
// that come during a commit become durable together; a change that comes alone is committed at
// once, on the thread of the loop. Where a commit fails, all that is not durable is rolled back in
// the registry, who waits for any of it gets kUnavailable, and each further group, or a probe,
// tries again. For the loop thread alone.
class Committer {
 public:
  class Listener {
   public:
    // A commit or a roll-back has taken effect in the registry, and nobody is answered yet.
    virtual void before_answers(const Now& now) = 0;
    // All are answered. `failure`: why it was rolled back; null after a commit that worked.
    virtual void after_answers(const std::string* failure) = 0;
    // And then, where the files were taken away and cannot be read any more: write_anew() helps.
    virtual void files_unreadable(const Now& /*now*/) {}

   protected:
    ~Listener() = default;
  };

  // `path` is the database's, for the log. All references must outlive it.
  Committer(LoopRunner& runner, const Clock& clock, Logger& log, Registry& registry, Store store,
            std::string path, Listener& listener);
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  // To be called after each command that the registry decided, and after whatever else may have
  // changed it: what has changed is committed at the end of this turn.
  void command_decided() {
    ++commands_since_;
    decided();
  }
  void decided() {
    if (registry_.has_changes()) schedule();
  }
  // Does not wait for the end of the turn.
  void commit_now();

  // Gives the answer to `reply` once that change, which is not durable yet, is.
  void hold(Sequence change, Answer&& answer, Service::Reply reply);
  // Calls `then` once all that was decided so far is durable or rolled back; perhaps at once.
  void when_stored(Callback<void()> then);

  const Backlog& backlog() const { return backlog_; }
  // Decided, and not durable yet.
  std::size_t waiting_changes() const { return registry_.pending_changes() + handed_changes_; }
  std::chrono::nanoseconds last_took() const { return last_took_; }
  // Why the last commit failed; empty while commits work.
  const std::string& last_error() const { return last_error_; }
  const CommitCounts& counts() const { return counts_; }

  // Learns whether commits work again, where the last one failed.
  void probe();
  // Where somebody took the database's files away, commits, which writes all to new ones. To be
  // called once a second.
  void check_files();

  // Writes all to a new database in the place of one that cannot be read any more. From
  // begin_anew() on, which is called while no commit is under way, to the outcome of the last part
  // or to one that fails, whatever is decided is refused. Each part is given once the outcome of
  // the one before is known, and holds what is known behind refuse_waiting().
  void begin_anew();
  void refuse_waiting();
  void write_anew(std::vector<Change> changes, Store::Part part,
                  Callback<void(const Result<void>&)> done);

  // Null where nobody keeps them in place.
  const std::shared_ptr<DatabaseFiles>& files() const { return files_; }
  // Maintenance removes what is recorded of hours before this one (since 1970).
  void trim_before(std::int64_t hour) { thread_.trim_before(hour); }

  // Calls `done` once nothing that was decided waits any more.
  void finish(Callback<void()> done);

 private:
  struct Waiting {
    Answer answer;
    Service::Reply reply;
    std::size_t bytes;  // as the backlog counts them
  };
  struct Group {
    Sequence upto = 0;
    std::size_t changes = 0;
    std::vector<Waiting> answers{};
    std::vector<Callback<void()>> then{};  // what waits for its outcome, whichever it is
  };

  bool committing() const { return !under_way_.empty(); }
  Group& group_of(Sequence change);
  void schedule();
  void flush();
  bool should_commit_inline() const;
  Batch close_group();
  void hand_over();
  void commit_inline();
  void on_outcome(const CommitOutcome& outcome);
  void measure(const CommitOutcome& outcome, const Now& now);
  void answer_upto(Sequence durable, const Now& now);
  void log_outcome(const CommitOutcome& outcome, const Now& now);
  void roll_back(const Error& error, const Now& now);
  void on_part(const CommitOutcome& outcome);
  void refuse_soon();
  void finish_if_idle();

  LoopRunner& runner_;
  boost::asio::io_context& loop_;
  const Clock& clock_;
  Logger& log_;
  Registry& registry_;
  std::string path_;
  std::shared_ptr<DatabaseFiles> files_;
  Listener& listener_;

  std::deque<Group> under_way_;     // handed over, in order
  std::size_t handed_changes_ = 0;  // of those
  Group gathered_;                  // what is decided since
  Backlog backlog_{"the disk"};     // the answers of all groups
  std::uint64_t term_ = 1;          // a new one with each roll-back
  OwnStep<&Committer::flush, Committer> flush_step_{*this};
  bool committing_inline_ = false;
  std::size_t commands_since_ = 0;  // the flush was scheduled
  // Engaged while a commit is under way: the loop must not run out of work before its outcome.
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>>
      keeps_loop_;

  Now began_;  // the commit under way
  std::chrono::nanoseconds last_took_{};
  std::size_t last_answered_ = 0;  // by the commit before
  std::string last_error_;
  std::string logged_cause_;  // of it
  CommitCounts counts_;
  bool writes_anew_ = false;
  bool refuses_soon_ = false;
  bool last_part_ = false;
  Error anew_cause_;
  Callback<void(const Result<void>&)> part_done_;
  LogThrottle slowness_{1};
  LogThrottle other_causes_{1};

  Callback<void()> finished_;
  CommitThread thread_;  // last: it calls back until it is joined
};

}  // namespace concur
