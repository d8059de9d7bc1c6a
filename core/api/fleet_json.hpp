#pragma once

#include "api/json_writer.hpp"
#include "api/message.hpp"
#include "service/fleet_findings.hpp"
#include "service/fleet_status.hpp"

namespace concur {

// The members of what status tells of a fleet.
void write_members(JsonWriter& json, const FleetStatus& fleet);

Response to_response(const FleetStatus& fleet);
Response to_response(const FleetFindings& findings);

}  // namespace concur
