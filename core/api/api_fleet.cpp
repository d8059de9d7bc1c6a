// The routes about the fleet that this box is one of.
#include "api/answer_json.hpp"
#include "api/api.hpp"
#include "api/fleet_json.hpp"

#include <utility>

namespace concur {

void Api::fleet(const Call&, Respond respond) {
  const ServiceStatus status = service_.status();
  if (status.fleet) return respond(to_response(*status.fleet));
  respond(to_response(
      Error{ErrorKind::kUnsupported,
            "cannot show the fleet: this daemon is not part of one; see concurrencyd-fleet(7)"}));
}

void Api::fleet_check(const Call&, Respond respond) {
  service_.check_fleet([respond = std::move(respond)](const Result<FleetFindings>& findings) {
    respond(findings ? to_response(*findings) : to_response(findings.error()));
  });
}

}  // namespace concur
