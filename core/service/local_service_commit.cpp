// How the local service makes durable what was decided, and answers then.
#include "service/local_service.hpp"

#include "base/text.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace concur {

namespace {

constexpr auto kSlowCommit = std::chrono::seconds(1);

}  // namespace

LocalService::Group& LocalService::group_of(Sequence change) {
  for (Group& group : under_way_) {
    if (change <= group.upto) return group;
  }
  return gathered_;
}

// The flush runs behind what is ready in this turn of the loop, so that all of it shares a commit.
void LocalService::schedule_flush() {
  if (flush_scheduled_ || commits_here_) return;
  flush_scheduled_ = true;
  others_ = 0;
  boost::asio::post(loop_, [this] {
    flush_scheduled_ = false;
    flush();
  });
}

void LocalService::flush() {
  if (commits_here_ || !registry_.has_changes()) return;
  if (came_alone()) {
    commit_here();
  } else {
    hand_over();
  }
}

// Nobody else asked in this turn of the loop, or waits for a commit, or waited for the one before:
// then hardly anybody is kept waiting. A disk that is slow beside a hop from thread to thread is
// left to the journal.
bool LocalService::came_alone() const {
  constexpr auto kQuick = std::chrono::milliseconds(3);
  return !committing() && others_ == 0 && gathered_.answers.size() == 1 && answered_ <= 1 &&
         commit_took_ < kQuick && trouble_.empty();
}

Batch LocalService::close_group() {
  gathered_.upto = registry_.last_change();
  gathered_.changes = registry_.pending_changes();
  const Now now = clock_.now();
  return {registry_.take_changes(), now.offset(), oldest_hour(now)};
}

void LocalService::begin_commit() {
  keeps_loop_.emplace(loop_.get_executor());
  commit_began_ = clock_.now();
}

void LocalService::hand_over() {
  if (!committing()) begin_commit();
  const bool joined = journal_.submit(close_group());
  Group handed = std::exchange(gathered_, {});
  gathered_.answers.reserve(handed.answers.size());  // as many are likely to follow
  if (!joined) return under_way_.push_back(std::move(handed));
  Group& last = under_way_.back();
  last.upto = handed.upto;
  last.changes += handed.changes;
  std::ranges::move(handed.answers, std::back_inserter(last.answers));
  std::ranges::move(handed.reports, std::back_inserter(last.reports));
}

void LocalService::commit_here() {
  begin_commit();
  commits_here_ = true;
  Batch batch = close_group();
  under_way_.push_back(std::exchange(gathered_, {}));
  runner_.wait_for([this, batch = std::move(batch)] { return journal_.commit_here(batch); },
                   [this](const Result<void>& outcome) {
                     commits_here_ = false;
                     committed(outcome);
                   });
}

void LocalService::committed(const Result<void>& outcome) {
  ++commits_;
  measure_commit(under_way_.front(), outcome.has_value());
  if (outcome) {
    Group group = std::move(under_way_.front());
    under_way_.pop_front();
    succeeded(std::move(group));
  } else {
    failed(outcome.error());
  }
  if (!committing()) keeps_loop_.reset();
  schedule_purge();  // a step for each commit, however much waits
  go_on_sweeping();
  save_step();
  if (registry_.has_changes()) schedule_flush();
  finish_if_idle();
}

// Until its outcome is known here, for that is what the answers wait for.
void LocalService::measure_commit(const Group& group, bool worked) {
  const Now now = clock_.now();
  looked_ = now.instant;
  const Now began = std::exchange(commit_began_, now);
  auto took = now.since_boot - began.since_boot;
  commit_took_ = took;
  answered_ = group.answers.size();
  // The clock counts suspend, which is nobody's fault; how long it was is known only roughly.
  const Millis slept = now.asleep - began.asleep;
  if (slept >= std::chrono::seconds(1)) took -= slept;
  meters_.committed(worked, took, group.changes);
  if (took > kSlowCommit && warn_of_slowness_.next(now.instant)) {
    log_.warning(
        "a commit to {} took {:.1f} s (changes: {}), and starts and ends wait for it: the disk is "
        "slow, or others keep it busy",
        path_, std::chrono::duration<double>(took).count(), group.changes);
  }
}

void LocalService::succeeded(Group group) {
  if (!trouble_.empty()) {
    log_.info("commits to {} work again", path_);
    trouble_.clear();
  }
  registry_.confirm(group.upto);
  waiting_ -= group.answers.size();
  publish_events();
  for (Waiting& each : group.answers) {
    held_ -= each.bytes;
    answer(each.kind, each.since, std::move(each.answer), each.reply);
  }
  for (const auto& report : group.reports) report();
}

// What was handed over since is lost with it, for it may build on it.
void LocalService::failed(const Error& error) {
  const std::string message = text::format("cannot commit to {}: {}", path_, error.message);
  if (trouble_.empty()) {
    log_.error(
        "{}; starts and ends are answered 503 until it works again: free space on the file system "
        "of {}, or check that the daemon may write to it and its folder",
        message, path_);
  }
  trouble_ = message;
  registry_.roll_back();
  saving_.reset();  // no more can be saved
  publish_events();
  auto lost = std::exchange(under_way_, {});
  lost.push_back(std::exchange(gathered_, {}));
  journal_.recover();
  waiting_ = 0;
  held_ = 0;
  for (const Group& group : lost) {
    for (const Waiting& each : group.answers) refuse(each, message);
  }
  refuse_purges(message);
  // They tell of what is stored then.
  for (const Group& group : lost) {
    for (const auto& report : group.reports) report();
  }
}

}  // namespace concur
