#pragma once

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/log_throttle.hpp"
#include "base/loop_runner.hpp"
#include "service/copier.hpp"
#include "service/denial_log.hpp"
#include "service/meters.hpp"
#include "service/reporter.hpp"
#include "service/service.hpp"
#include "session/registry.hpp"
#include "store/journal.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace concur {

// The service on one machine: a registry in memory and a journal on a thread beside it.
//
// Changes go to the journal at the end of each turn of the loop and become durable together with
// what else came during a commit; a change that comes alone is committed at once, on the thread of
// the loop. An answer leaves after the commit of every change it depends on. If a commit fails, all
// that is not durable is undone, its callers get kUnavailable, and each further batch, or a probe
// once a second, tries again.
class LocalService final : public Service {
 public:
  // `registry` holds what `store` held; `path` is the database's, for its size. The clock, the log
  // and the runner must outlive the service.
  LocalService(LoopRunner& runner, const Clock& clock, Logger& log, Registry registry, Store store,
               std::string path);

  void submit(const Command& command, Reply reply) override;
  void foresee(std::string_view user) override { registry_.prefetch(user); }
  void report(const ReportQuery& query, ReportReply reply) override;
  void backup(BackupReply reply) override;
  void set_policy(const Policy& policy) override;
  void set_history(Millis history) override { history_ = history; }
  ServiceStatus status() const override;
  EventLog& events() override { return events_; }
  void finish(std::function<void()> done) override;

 private:
  struct Waiting {
    CommandKind kind;
    std::chrono::nanoseconds since;  // on the clock's since_boot()
    Answer answer;
    Reply reply;
    std::size_t bytes;  // of the sessions that the answer lists
  };
  struct Purging {
    Purge purge;
    PurgeCursor cursor;
    std::chrono::nanoseconds since;
    Reply reply;
    std::uint64_t count = 0;  // of the steps before
  };
  // What one commit makes durable, and who waits for it.
  struct Group {
    Sequence upto = 0;
    std::size_t changes = 0;
    std::vector<Waiting> answers{};
    std::vector<Callback<void()>> reports{};  // they tell of what is stored then
  };

  Now look_at_clock();
  Decision decide(const Command& command, const Now& now);
  Decision decided(Decision&& decision);
  void answer_when_durable(CommandKind kind, std::chrono::nanoseconds since, Decision&& decision,
                           Reply reply);
  void answer(CommandKind kind, std::chrono::nanoseconds since, Answer&& given, const Reply& reply);
  void tell_throttled(const Throttled& throttled);
  std::string no_room_for(CommandKind kind) const;
  void refuse(const Waiting& waiting, const std::string& message);
  void publish_events();
  Group& group_of(Sequence change);
  bool committing() const { return !under_way_.empty(); }
  void schedule_flush();
  void flush();
  bool came_alone() const;
  Batch close_group();
  void begin_commit();
  void hand_over();
  void commit_here();
  void committed(const Result<void>& outcome);
  void succeeded(Group group);
  void failed(const Error& error);
  void measure_commit(const Group& group, bool worked);
  void save_step();
  void finish_if_idle();

  void read_report(const ReportQuery& query, ReportReply reply);
  std::int64_t oldest_hour(const Now& now);

  void begin_purge(const Purge& purge, Reply reply);
  void go_on_purging();
  void schedule_purge();
  void purge_step();
  void refuse_purges(const std::string& message);

  void schedule_sweep();
  void start_sweep();
  void sweep_step(std::uint32_t slots);
  void sweep_some(std::uint32_t most);
  void go_on_sweeping();
  std::size_t changes_waiting() const;
  void watch_wal();
  Millis lap() const;

  LoopRunner& runner_;
  boost::asio::io_context& loop_;
  const Clock& clock_;
  Logger& log_;
  Registry registry_;
  Millis asleep_;   // at the last look at the clock
  Instant looked_;  // when that was: at most a second ago
  std::string path_;

  // Handed to the journal, in order: the one under way, and the next. Then what is decided since.
  std::deque<Group> under_way_;
  Group gathered_;
  std::size_t waiting_ = 0;  // answers in all of them
  std::size_t held_ = 0;     // bytes of those
  std::size_t others_ = 0;   // commands since the flush was scheduled
  Now commit_began_;         // the one under way
  bool commits_here_ = false;
  // Of the commit before: how long it took, and how many commands it answered.
  std::chrono::nanoseconds commit_took_{};
  std::size_t answered_ = 0;
  // Engaged while a commit is under way: the loop must not run out of work before its outcome.
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>>
      keeps_loop_;
  bool flush_scheduled_ = false;
  std::string trouble_;
  std::uint64_t commits_ = 0;
  bool finishing_ = false;
  std::optional<SaveCursor> saving_;  // the leases, before the end
  std::function<void()> finished_;

  // Replies that wait for the threads below, which finish one after the other. They stay here: what
  // a reply holds, such as a connection, must be let go of on the loop's thread.
  std::deque<ReportReply> reports_read_;
  std::deque<BackupReply> backups_made_;
  Millis history_ = kDefaultHistory;
  Now clock_set_;  // when the wall clock was last seen to have been set

  EventLog events_;
  bool waking_ = false;  // its readers, in this turn of the loop

  Meters meters_;
  DenialLog denials_;
  LogThrottle warn_of_throttled_;
  LogThrottle warn_of_slowness_{1};
  LogThrottle warn_of_wal_{1};

  std::deque<Purging> purges_;  // of all users: the first one is under way
  bool purge_scheduled_ = false;

  boost::asio::steady_timer sweep_timer_;
  std::uint32_t left_to_sweep_ = 0;  // of this tick, once the journal has caught up
  Reporter reporter_;
  Copier copier_;
  // Last, with the two before it: their threads call back into the rest until joined.
  Journal journal_;
};

}  // namespace concur
