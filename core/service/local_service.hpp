#pragma once

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/log_throttle.hpp"
#include "base/loop_runner.hpp"
#include "service/committer.hpp"
#include "service/denial_log.hpp"
#include "service/event_log.hpp"
#include "service/purger.hpp"
#include "service/rebuilder.hpp"
#include "service/record.hpp"
#include "service/service.hpp"
#include "service/sleep_watch.hpp"
#include "service/step_host.hpp"
#include "service/sweeper.hpp"
#include "service/work_board.hpp"
#include "service/worker.hpp"
#include "session/registry.hpp"
#include "store/store.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace concur {

// The service on one machine: a registry in memory decides, a committer makes that durable, and
// answers leave when what they depend on is. Whoever only wants a service includes
// open_service.hpp.
class LocalService final : public Service, private Committer::Listener, private StepHost {
 public:
  // `registry` holds what `store` held; `path` is the database's. The references must outlive it.
  LocalService(LoopRunner& runner, EventLog& events, const Clock& clock, Logger& log,
               Registry registry, Store store, std::string path);

  void when_ready(Callback<void()> ready) override { ready(); }
  void submit(const Command& command, const Now& now, Reply reply) override;
  void prefetch(std::string_view user) override { registry_.prefetch(user); }
  void report(const ReportQuery& query, ReportReply reply) override;
  void backup(BackupReply reply) override;
  void configure(const ServiceConfig& config) override;
  const std::string& trouble() const override { return committer_.last_error(); }
  ServiceStatus status() const override;
  void finish(Callback<void()> done) override;

 private:
  // of the committer
  void before_answers(const Now& now) override { publish_events(now); }
  void after_answers(const std::string* failure) override;
  void files_unreadable(const Now& now) override { rebuilder_.begin(now); }

  // of what goes in steps
  Now look_at_clock() override;
  std::size_t waiting_changes() const override { return committer_.waiting_changes(); }
  std::chrono::nanoseconds commit_took() const override { return committer_.last_took(); }
  void decided() override;
  void answer(Decision&& decision, Reply reply) override;

  void notice_sleep(const Now& now);
  void publish_events(const Now& now);
  void warn_of_throttled(const Throttled& throttled, const Now& now);
  void warn_of_fight(const Event& event, const Now& now);
  void log_other_throttled(const Now& now);
  void warn_of_large_wal(const Now& now);
  void schedule_tick();
  void tick();
  void save_step();

  boost::asio::io_context& loop_;
  EventLog& events_;
  const Clock& clock_;
  Logger& log_;
  std::string path_;
  SleepWatch sleep_;
  Registry registry_;
  DenialLog denials_;
  LogThrottle throttled_;
  LogThrottle fights_{60};
  LogThrottle large_wal_{1};
  Committer committer_;
  Rebuilder rebuilder_;
  WorkBoard work_;
  Record record_;
  Worker<Fd> copier_;
  Purger purger_;
  Sweeper sweeper_;
  boost::asio::steady_timer tick_timer_;
  bool finishing_ = false;
  SaveCursor saving_;  // leases, before the end
  Callback<void()> finished_;
};

}  // namespace concur
