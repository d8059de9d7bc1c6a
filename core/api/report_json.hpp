#pragma once

#include "api/message.hpp"
#include "session/report.hpp"

namespace concur {

Response to_response(const ReportQuery& query, const Report& report);

}  // namespace concur
