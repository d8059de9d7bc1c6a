#pragma once

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/loop_runner.hpp"
#include "base/progress.hpp"
#include "base/result.hpp"
#include "service/event_log.hpp"
#include "service/service.hpp"
#include "store/database_files.hpp"
#include "store/durability.hpp"

#include <functional>
#include <memory>
#include <string>

namespace concur {

struct LocalServiceOptions {
  std::string database;
  // Claimed already, so that nobody else opens them; null: they are not kept in place.
  std::shared_ptr<DatabaseFiles> files;
  Durability durability = Durability::kFull;
  ServiceConfig config;
};

// A service that keeps its sessions in the database at that path: opens it, or creates it where it
// is absent, brings it to the newest schema and loads all sessions. `report_work` is called now
// and then meanwhile, for that may take long. What happens is published to `events`. All references
// must outlive the service. Errors are those of Store::open.
Result<std::unique_ptr<Service>> open_local_service(const LocalServiceOptions& options,
                                                    LoopRunner& runner, EventLog& events,
                                                    const Clock& clock, Logger& log,
                                                    const ReportWork& report_work);

}  // namespace concur
