#include "service/open_service.hpp"

#include "service/local_service.hpp"

#include <chrono>
#include <cstdint>
#include <random>
#include <span>
#include <utility>

namespace concur {

Result<std::unique_ptr<Service>> open_local_service(const LocalServiceOptions& options,
                                                    LoopRunner& runner, EventLog& events,
                                                    const Clock& clock, Logger& log,
                                                    const ReportWork& report_work) {
  std::random_device random;
  Registry registry(options.config.policy, (std::uint64_t{random()} << 32) | random());
  const Now now = clock.now();
  const auto began = std::chrono::steady_clock::now();
  auto loaded = Store::open_and_load(
      options.database, options.durability, boot_id(), now,
      [&](StoredRow row) { return registry.restore(std::move(row), now); },
      [&](std::span<const StoredRow> rows) { registry.prefetch(rows); }, &report_work);
  if (!loaded) return loaded.error();
  if (options.files) loaded->store.keep_in_place(options.files, options.durability, boot_id());
  const LoadReport& report = loaded->report;
  registry.reserve_rows(report.last_id, now);
  const auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - began);
  log.info("loaded {} sessions of {} users in {:.3f} s", registry.active_sessions(),
           registry.active_users(), took.count());
  if (report.refused > 0) {
    log.warning("left {} rows of the database aside that hold no valid session; the first: {}",
                report.refused, report.first_refusal);
  }
  auto service = std::make_unique<LocalService>(runner, events, clock, log, std::move(registry),
                                                std::move(loaded->store), options.database);
  service->configure(options.config);
  return std::unique_ptr<Service>(std::move(service));
}

}  // namespace concur
