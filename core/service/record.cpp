#include "service/record.hpp"

#include "service/long_reads.hpp"

#include <algorithm>
#include <utility>

namespace concur {

Record::Record(boost::asio::io_context& loop, const Clock& clock, Registry& registry,
               Committer& committer, WorkBoard& board, std::string path)
    : clock_(clock),
      registry_(registry),
      committer_(committer),
      board_(board),
      path_(std::move(path)),
      clock_set_(clock.now()),
      reader_(loop, "reports", kMaxReports) {}

// So many parts are stored first; what is recorded meanwhile is for a later report.
void Record::store_and_read(std::size_t parts, const ReportQuery& query, Work work,
                            Service::ReportReply reply) {
  const std::size_t step = std::min(parts, kPartsAtOnce);
  registry_.flush_usage(step, clock_.now());
  committer_.when_stored([this, left = parts - step, query, work = std::move(work),
                          reply = std::move(reply)]() mutable {
    if (left > 0 && committer_.last_error().empty()) {
      store_and_read(left, query, std::move(work), std::move(reply));
    } else {
      read(query, std::move(work), std::move(reply));
    }
  });
}

void Record::read(const ReportQuery& query, Work work, Service::ReportReply reply) {
  if (reader_.full()) {
    return reply(Error{ErrorKind::kUnavailable,
                       "cannot report: others are being read; try again in a moment"});
  }
  const WallTime since = clock_.now().wall() - query.back;
  const auto first = std::chrono::floor<std::chrono::hours>(since.time_since_epoch()).count();
  reader_.submit(
      [path = path_, files = committer_.files(), query, first,
       work = std::move(work)](Interruption& interruption) -> Result<Report> {
        if (auto there = check_in_place(files.get(), path); !there) return there.error();
        return read_report(path, query, first, *work, interruption);
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
