#include "session/session.hpp"

namespace concur {

Row copy_of(const Row& row) {
  Row copy{row.id,      row.user, row.session, row.started, row.last_seen,
           row.expires, row.ttl,  nullptr,     row.start,   row.fleet_id};
  if (row.details) copy.details = std::make_unique<Details>(*row.details);
  if (row.overlap) copy.overlap = std::make_unique<Overlap>(*row.overlap);
  return copy;
}

GoneRow copy_of(const GoneRow& row) {
  GoneRow copy{row.id,  row.user, row.session, row.reason, row.at,
               row.ttl, nullptr,  row.row,     row.start,  row.message};
  if (row.by) copy.by = std::make_unique<EvictedBy>(*row.by);
  return copy;
}

}  // namespace concur
