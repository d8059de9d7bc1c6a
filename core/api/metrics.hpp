#pragma once

#include "api/daemon_info.hpp"
#include "base/clock.hpp"
#include "base/process.hpp"
#include "service/service.hpp"

#include <string>
#include <string_view>

namespace concur {

inline constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

// All that is measured, in Prometheus' text format 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/).
std::string metrics_text(const ServiceStatus& status, const DaemonInfo& info, const Now& now,
                         const ProcessFigures& process);

}  // namespace concur
