#include "fleet/open_fleet_service.hpp"

#include "engine/login.hpp"
#include "engine/net_dialer.hpp"
#include "fleet/fleet_service.hpp"
#include "store/store.hpp"

#include <chrono>
#include <span>
#include <utility>
#include <variant>

namespace concur {

namespace {

// What the database holds that a box of a fleet goes on with.
bool take(FleetService::Stored& stored, StoredRow&& row) {
  if (auto* session = std::get_if<Row>(&row)) {
    stored.sessions.push_back(std::move(*session));
  } else if (auto* plan = std::get_if<PlanRow>(&row)) {
    stored.plans.push_back(std::move(*plan));
  } else if (auto* limit = std::get_if<LimitRow>(&row)) {
    stored.limits.push_back(std::move(*limit));
  } else if (auto* block = std::get_if<BlockRow>(&row)) {
    stored.blocks.push_back(std::move(*block));
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<Service>> open_fleet_service(const FleetServiceOptions& options,
                                                    LoopRunner& runner, EventLog& events,
                                                    const Clock& clock, Logger& log,
                                                    const ReportWork& report_work) {
  const FleetConfig& fleet = options.fleet;
  FleetService::Parts parts{
      fleet,  options.local.config, options.version, options.local.database, {fleet.user, {}},
      nullptr};
  if (!fleet.password_file.empty()) {
    auto password = engine::read_password(fleet.password_file, std::chrono::seconds(10));
    if (!password) return password.error();
    parts.login.password = std::move(*password);
  }
  if (fleet.tls) {
    auto tls = engine::load_tls({fleet.ca_file, fleet.cert_file, fleet.key_file});
    if (!tls) return tls.error();
    parts.tls = std::move(*tls);
  }
  const LocalServiceOptions& local = options.local;
  FleetService::Stored stored;
  auto loaded = Store::open_and_load(
      local.database, local.durability, boot_id(), clock.now(),
      [&](StoredRow row) { return take(stored, std::move(row)); }, {}, &report_work);
  if (!loaded) return loaded.error();
  if (local.files) loaded->store.keep_in_place(local.files, local.durability, boot_id());
  stored.box = loaded->report.box;
  if (loaded->report.refused > 0) {
    log.warning("left {} rows of the database aside that hold no valid session; the first: {}",
                loaded->report.refused, loaded->report.first_refusal);
  }
  auto service = std::make_unique<FleetService>(runner, events, clock, log, std::move(parts),
                                                std::move(loaded->store), std::move(stored));
  service->configure(local.config);
  return std::unique_ptr<Service>(std::move(service));
}

}  // namespace concur
