#pragma once

#include "base/clock.hpp"
#include "service/committer.hpp"
#include "service/service.hpp"
#include "service/work_board.hpp"
#include "service/worker.hpp"
#include "session/policy.hpp"
#include "session/registry.hpp"
#include "session/report.hpp"

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace concur {

// The record of who shares: reports of it, and from when on it is kept. For the loop thread alone.
class Record {
 public:
  static constexpr std::size_t kMaxReports = 9;  // under way or waiting for that
  // Of users' hours, that are stored in one commit before a report is read.
  static constexpr std::size_t kPartsAtOnce = 2048;

  // All must outlive it; `path` is the database's.
  Record(boost::asio::io_context& loop, const Clock& clock, Registry& registry,
         Committer& committer, WorkBoard& board, std::string path);

  // As Service::report(). What is recorded so far is stored first, in commits of a bounded size.
  void report(const ReportQuery& query, Service::ReportReply reply) {
    store_and_read(registry_.usage_parts(), query,
                   board_.add("report", "hours", clock_.now().instant), std::move(reply));
  }

  void keep(Millis history) { history_ = history; }
  // Hours before this one (since 1970) are not kept; 0 where none is to be removed: a clock that is
  // far ahead must not empty the record. For an hour after the start, and after a step of the
  // clock, there is time to set it right.
  std::int64_t oldest_hour(const Now& now);

 private:
  using Work = std::shared_ptr<LongWork>;

  void store_and_read(std::size_t parts, const ReportQuery& query, Work work,
                      Service::ReportReply reply);
  void read(const ReportQuery& query, Work work, Service::ReportReply reply);

  const Clock& clock_;
  Registry& registry_;
  Committer& committer_;
  WorkBoard& board_;
  std::string path_;
  Millis history_ = kDefaultHistory;
  Now clock_set_;  // when the wall clock was last seen to have been set
  Worker<Report> reader_;
};

}  // namespace concur
