#include "fleet/open_fleet_service.hpp"

#include "engine/login.hpp"
#include "engine/net_dialer.hpp"
#include "fleet/inspection.hpp"

#include <utility>

namespace concur {

namespace {

// Decides as one box alone.
class PlaceholderService final : public Service {
 public:
  PlaceholderService(std::unique_ptr<Service> local, FleetConfig config, engine::Login login,
                     engine::TlsContext tls, LoopRunner& runner, const Clock& clock)
      : local_(std::move(local)),
        config_(std::move(config)),
        login_(std::move(login)),
        dialer_(runner.loop(), std::move(tls)),
        checker_(runner.loop(), runner.turn(), clock, dialer_) {}

  void when_ready(Callback<void()> ready) override { local_->when_ready(std::move(ready)); }
  void submit(const Command& command, const Now& now, Reply reply) override {
    local_->submit(command, now, std::move(reply));
  }
  void prefetch(std::string_view user) override { local_->prefetch(user); }
  void report(const ReportQuery& query, ReportReply reply) override {
    local_->report(query, std::move(reply));
  }
  void backup(BackupReply reply) override { local_->backup(std::move(reply)); }
  void check_fleet(CheckReply reply) override {
    checker_.check(config_, login_, {}, std::move(reply));
  }
  void configure(const ServiceConfig& config) override { local_->configure(config); }
  const std::string& trouble() const override { return local_->trouble(); }
  ServiceStatus status() const override {
    ServiceStatus status = local_->status();
    FleetStatus& fleet = status.fleet.emplace();
    fleet.box = config_.box;
    fleet.name = config_.name;
    fleet.ack = word_of(config_.ack);
    fleet.unavailable = word_of(config_.unavailable);
    return status;
  }
  void finish(Callback<void()> done) override {
    checker_.stop();
    local_->finish(std::move(done));
  }

 private:
  std::unique_ptr<Service> local_;
  FleetConfig config_;
  engine::Login login_;
  engine::NetDialer dialer_;
  FleetChecker checker_;
};

}  // namespace

Result<std::unique_ptr<Service>> open_fleet_service(const FleetServiceOptions& options,
                                                    LoopRunner& runner, EventLog& events,
                                                    const Clock& clock, Logger& log,
                                                    const std::function<void()>& tick) {
  const FleetConfig& fleet = options.fleet;
  engine::Login login{fleet.user, {}};
  if (!fleet.password_file.empty()) {
    auto password = engine::read_password(fleet.password_file, std::chrono::seconds(10));
    if (!password) return password.error();
    login.password = std::move(*password);
  }
  engine::TlsContext tls;
  if (fleet.tls) {
    auto loaded = engine::load_tls({fleet.ca_file, fleet.cert_file, fleet.key_file});
    if (!loaded) return loaded.error();
    tls = std::move(*loaded);
  }
  auto local = open_local_service(options.local, runner, events, clock, log, tick);
  if (!local) return local.error();
  return std::unique_ptr<Service>(std::make_unique<PlaceholderService>(
      std::move(*local), fleet, std::move(login), std::move(tls), runner, clock));
}

}  // namespace concur
