#pragma once

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/loop_runner.hpp"
#include "base/result.hpp"
#include "fleet/fleet_config.hpp"
#include "service/event_log.hpp"
#include "service/open_service.hpp"
#include "service/service.hpp"

#include <functional>
#include <memory>
#include <string>

namespace concur {

struct FleetServiceOptions {
  LocalServiceOptions local;
  FleetConfig fleet;
  std::string version;  // of this daemon, for the other boxes
};

// A service that counts each user together with other boxes. All references must outlive it. Errors
// are those of open_local_service().
Result<std::unique_ptr<Service>> open_fleet_service(const FleetServiceOptions& options,
                                                    LoopRunner& runner, EventLog& events,
                                                    const Clock& clock, Logger& log,
                                                    const ReportWork& report_work);

}  // namespace concur
