#pragma once

#include "api/daemon_info.hpp"
#include "base/clock.hpp"
#include "base/process.hpp"
#include "service/command_meter.hpp"
#include "service/event_log.hpp"
#include "service/status.hpp"

#include <string>
#include <string_view>

namespace concur {

inline constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

// What is known of the service at one moment.
struct Figures {
  ServiceStatus service;
  CommandFigures commands;
  EventFigures events;
};

// All that is measured, in Prometheus' text format 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/).
std::string metrics_text(const Figures& figures, const DaemonInfo& info, const Now& now,
                         const ProcessFigures& process);

}  // namespace concur
