#pragma once

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/log_throttle.hpp"
#include "base/loop_runner.hpp"
#include "engine/engine.hpp"
#include "engine/net_dialer.hpp"
#include "fleet/boxes.hpp"
#include "fleet/desks.hpp"
#include "fleet/fleet_config.hpp"
#include "fleet/fleet_record.hpp"
#include "fleet/inbox.hpp"
#include "fleet/inspection.hpp"
#include "fleet/journal.hpp"
#include "fleet/lists.hpp"
#include "fleet/plan_book.hpp"
#include "fleet/served.hpp"
#include "fleet/walk.hpp"
#include "service/denial_log.hpp"
#include "service/event_log.hpp"
#include "service/service.hpp"
#include "service/worker.hpp"
#include "session/judge.hpp"
#include "store/store.hpp"

#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace concur {

// The service of a box of a fleet: a judge decides by the user's state as it was last known, and
// the engine, which all boxes share, takes the change where that is still true. Whoever only wants
// a service includes open_fleet_service.hpp.
class FleetService final : public Service {
 public:
  // What open_fleet_service() read before.
  struct Parts {
    FleetConfig config;
    ServiceConfig service;
    std::string version;
    std::string path;  // of the box's database
    engine::Login login;
    engine::TlsContext tls;
  };
  struct Stored {
    std::vector<Row> sessions;
    std::vector<PlanRow> plans;
    std::vector<LimitRow> limits;
    std::vector<BlockRow> blocks;
    std::int64_t box = 0;  // 0: it is new in the fleet
  };

  // All references must outlive it.
  FleetService(LoopRunner& runner, EventLog& events, const Clock& clock, Logger& log, Parts parts,
               Store store, Stored stored);

  void when_ready(Callback<void()> ready) override { ready(); }
  void submit(const Command& command, const Now& now, Reply reply) override;
  void check_fleet(CheckReply reply) override;
  void report(const ReportQuery& query, ReportReply reply) override;
  void backup(BackupReply reply) override;
  void backup_local(BackupReply reply) override;
  void configure(const ServiceConfig& config) override;
  const std::string& trouble() const override { return trouble_; }
  ServiceStatus status() const override;
  void finish(Callback<void()> done) override;

 private:
  void set_limit(const SetLimit& set, const Now& now, Reply reply);
  void set_plan(const SetPlan& set, Reply reply);
  void remove_plan(const RemovePlan& remove, Reply reply);
  void list_plans(std::optional<Id> plan, Reply reply);
  void show_plan(const std::string& plan, const std::shared_ptr<Reply>& reply);
  static PlanInfo info_of(const PlanRow& plan, const Lists::PlanUsers& users);
  void enter(Stored&& stored);
  void enter_plan();
  void enter_limit();
  void enter_block();
  void go_on_entering();
  void publish(std::vector<Event>&& events);
  void store_usage();
  void renew_files();
  void schedule_tick();
  void tick();
  void ask_time(Instant now);
  void watch_engine(const Now& now);
  void stop_when_idle();
  Now engine_like(const Now& now) const;

  LoopRunner& runner_;
  EventLog& events_;
  const Clock& clock_;
  Logger& log_;
  Parts parts_;
  std::string prefix_;
  FleetCounts counts_;
  engine::NetDialer dialer_;
  engine::Engine engine_;
  Judge judge_;
  Journal journal_;
  Served served_;
  PlanBook plans_;
  Boxes boxes_;
  Inbox inbox_;
  Desks desks_;
  Walk walk_;
  WorkBoard work_;
  FleetRecord record_;
  Lists lists_;
  DenialLog denials_;
  Worker<Report> reader_;
  Worker<Fd> copier_;
  FleetChecker checker_;
  boost::asio::steady_timer timer_;
  std::string trouble_;  // never: an answer can always be given
  bool whole_ = false;
  static constexpr unsigned kLooksBeforeTold = 10;  // after the start
  unsigned lost_looks_ = 0;
  std::vector<engine::Address> primaries_;
  struct Seen {
    std::optional<Instant> down_since;
    std::uint64_t clock_steps = 0;
  };
  std::map<engine::Address, Seen> seen_;  // of each primary, when it was last looked at
  Instant next_look_{};
  Instant next_second_{};
  Instant next_ask_{};
  std::string told_;               // what was logged of the engine last
  std::deque<LimitRow> to_enter_;  // of a box that is new in the fleet: what was set on it
  std::deque<PlanRow> plans_to_enter_;
  std::deque<BlockRow> blocks_to_enter_;
  bool entering_ = false;
  bool configured_ = false;
  bool finishing_ = false;
  Instant give_up_{};
  Callback<void()> finished_;
};

}  // namespace concur
