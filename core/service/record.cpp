#include "service/record.hpp"

#include "service/long_reads.hpp"

#include <utility>

namespace concur {

Record::Record(boost::asio::io_context& loop, const Clock& clock, Registry& registry,
               Committer& committer, std::string path)
    : clock_(clock),
      registry_(registry),
      committer_(committer),
      path_(std::move(path)),
      clock_set_(clock.now()),
      reader_(loop, "reports", kMaxReports) {}

void Record::report(const ReportQuery& query, Service::ReportReply reply) {
  const bool more = registry_.flush_usage(kPartsAtOnce, clock_.now());
  // There may always be more, of whom nothing was recorded since.
  if (committer_.waiting_changes() == 0) return read(query, std::move(reply));
  committer_.when_stored([this, query, more, reply = std::move(reply)]() mutable {
    if (more && committer_.last_error().empty()) {
      report(query, std::move(reply));
    } else {
      read(query, std::move(reply));
    }
  });
}

void Record::read(const ReportQuery& query, Service::ReportReply reply) {
  if (reader_.full()) {
    return reply(Error{ErrorKind::kUnavailable,
                       "cannot report: others are being read; try again in a moment"});
  }
  const WallTime since = clock_.now().wall() - query.back;
  const auto first = std::chrono::floor<std::chrono::hours>(since.time_since_epoch()).count();
  reader_.submit(
      [path = path_, query, first](Interruption& interruption) {
        return read_report(path, query, first, interruption);
      },
      std::move(reply));
}

std::int64_t Record::oldest_hour(const Now& now) {
  constexpr auto kStep = std::chrono::hours(1);
  const auto moved = now.wall_offset - clock_set_.wall_offset;
  if (moved > kStep || moved < -kStep) clock_set_ = now;
  if (now.instant - clock_set_.instant <= kStep) return 0;
  return std::chrono::floor<std::chrono::hours>((now.wall() - history_).time_since_epoch()).count();
}

}  // namespace concur
