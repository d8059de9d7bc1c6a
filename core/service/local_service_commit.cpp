// How the local service makes durable what was decided, and answers then.
#include "service/local_service.hpp"

#include <fmt/format.h>
#include <boost/asio/post.hpp>

#include <iterator>
#include <utility>

namespace concur {

namespace {

constexpr auto kSlowCommit = std::chrono::seconds(1);

}  // namespace

// The flush runs behind what is ready in this turn of the loop, so that all of it shares a commit.
void LocalService::schedule_flush() {
  if (flush_scheduled_ || committing_) return;
  flush_scheduled_ = true;
  others_ = 0;
  boost::asio::post(loop_, [this] {
    flush_scheduled_ = false;
    if (committing_ || !registry_.has_changes()) return;
    if (came_alone()) {
      commit_here();
    } else {
      hand_over();
    }
  });
}

// Nobody else asked in this turn of the loop, or waited for the commit before: then hardly anybody
// is kept waiting. A disk that is slow beside a hop from thread to thread is left to the journal.
bool LocalService::came_alone() const {
  constexpr auto kQuick = std::chrono::milliseconds(3);
  return others_ == 0 && gathered_.size() == 1 && answered_ <= 1 && commit_took_ < kQuick &&
         trouble_.empty();
}

Batch LocalService::begin_commit() {
  committing_.emplace(loop_.get_executor());
  handed_upto_ = registry_.last_change();
  std::swap(waiting_, gathered_);
  gathered_.reserve(waiting_.size());  // as many are likely to follow
  answered_ = waiting_.size();
  std::swap(reports_waiting_, reports_gathered_);
  handed_at_ = clock_.now();
  handed_changes_ = registry_.pending_changes();
  return {registry_.take_changes(), handed_at_.offset(), oldest_hour(handed_at_)};
}

void LocalService::hand_over() { journal_.submit(begin_commit()); }

void LocalService::commit_here() {
  runner_.wait_for([this, batch = begin_commit()] { return journal_.commit_here(batch); },
                   [this](const Result<void>& outcome) { committed(outcome); });
}

void LocalService::committed(const Result<void>& outcome) {
  committing_.reset();
  ++commits_;
  measure_commit(outcome.has_value());
  if (outcome) {
    succeeded();
  } else {
    failed(outcome.error());
  }
  if (registry_.has_changes()) schedule_flush();
  finish_if_idle();
}

// Until its outcome is known here, for that is what the answers wait for.
void LocalService::measure_commit(bool worked) {
  const Now now = clock_.now();
  looked_ = now.instant;
  auto took = now.since_boot - handed_at_.since_boot;
  commit_took_ = took;
  // The clock counts suspend, which is nobody's fault; how long it was is known only roughly.
  const Millis slept = now.asleep - handed_at_.asleep;
  if (slept >= std::chrono::seconds(1)) took -= slept;
  meters_.committed(worked, took, handed_changes_);
  if (took > kSlowCommit && warn_of_slowness_.due(now.instant)) {
    log_.warning(
        "a commit to {} took {:.1f} s (changes: {}), and starts and ends wait for it: the disk is "
        "slow, or others keep it busy",
        path_, std::chrono::duration<double>(took).count(), handed_changes_);
  }
}

void LocalService::succeeded() {
  if (!trouble_.empty()) {
    log_.info("commits to {} work again", path_);
    trouble_.clear();
  }
  registry_.confirm(handed_upto_);
  auto durable = std::exchange(waiting_, {});
  const auto reports = std::exchange(reports_waiting_, {});
  // What was decided meanwhile is written while these are answered.
  if (registry_.has_changes()) hand_over();
  publish_events();
  for (auto& each : durable) {
    held_ -= each.bytes;
    answer(each.kind, each.since, std::move(each.answer), each.reply);
  }
  for (const auto& report : reports) report();
}

void LocalService::failed(const Error& error) {
  const std::string message = fmt::format("cannot commit to {}: {}", path_, error.message);
  if (trouble_.empty()) {
    log_.error(
        "{}; starts and ends are answered 503 until it works again: free space on the file system "
        "of {}, or check that the daemon may write to it and its folder",
        message, path_);
  }
  trouble_ = message;
  registry_.undo();
  publish_events();
  auto waiting = std::exchange(waiting_, {});
  std::move(gathered_.begin(), gathered_.end(), std::back_inserter(waiting));
  gathered_.clear();
  held_ = 0;
  for (const Waiting& each : waiting) refuse(each, message);
  // They tell of what is stored then.
  for (const auto& report : std::exchange(reports_waiting_, {})) report();
}

}  // namespace concur
