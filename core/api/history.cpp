#include "api/history.hpp"

#include <algorithm>
#include <variant>

namespace concur {

namespace {

constexpr double kNanosInSecond = 1e9;

// What the answers wait for.
const Histogram& commits_of(const ServiceStatus& status) {
  if (status.fleet) return status.fleet->counts.request_durations;
  return std::get<DatabaseStatus>(status.storage).commits.durations;
}

// The bound below which 99 of 100 lie of those that `now` has more than `before`.
double slow_one(const Histogram& before, const Histogram& now) {
  const std::uint64_t count = now.count() - before.count();
  const std::uint64_t wanted = count - count / 100;
  std::uint64_t seen = 0;
  std::size_t bucket = 0;
  for (; bucket + 1 < now.bounds().size(); ++bucket) {
    seen += now.in_bucket(bucket) - before.in_bucket(bucket);
    if (seen >= wanted) break;
  }
  return static_cast<double>(now.bounds()[bucket]) / kNanosInSecond;
}

}  // namespace

History::Totals History::totals_of(const Figures& figures, Instant now) {
  return {now,
          figures.commands.starts.total,
          figures.commands.denials.total,
          figures.events.evictions.total,
          figures.commands.heartbeats.total,
          commits_of(figures.service),
          figures.commands.counts.denials_by_rule};
}

std::uint32_t History::number_of_rule(const std::string& name) {
  const auto number = static_cast<std::uint32_t>(std::ranges::find(rules_, name) - rules_.begin());
  if (number == rules_.size()) rules_.push_back(name);
  return number;
}

void History::count_rules(const Totals& totals, Sample& into) {
  std::uint64_t by_limit = into.denials;
  for (const auto& [rule, denials] : totals.by_rule) {
    const auto before = last_->by_rule.find(rule);
    const std::uint64_t count = denials - (before == last_->by_rule.end() ? 0 : before->second);
    if (count == 0) continue;
    into.by_rule.emplace_back(number_of_rule(rule), count);
    by_limit -= std::min(count, by_limit);
  }
  if (by_limit > 0) into.by_rule.emplace_back(number_of_rule(std::string(kLimitName)), by_limit);
}

void History::add(const Figures& figures, const Now& now) {
  if (!is_due(now.instant)) return;
  Totals totals = totals_of(figures, now.instant);
  if (last_) {
    const ServiceStatus& status = figures.service;
    Sample sample;
    sample.at = now.wall();
    sample.length = now.instant - last_->at;
    sample.sessions = status.sessions;
    sample.users = status.users;
    sample.users_at_limit = status.users_at_limit;
    sample.starts = totals.starts - last_->starts;
    sample.denials = totals.denials - last_->denials;
    sample.evictions = totals.evictions - last_->evictions;
    sample.heartbeats = totals.heartbeats - last_->heartbeats;
    if (const std::uint64_t commits = totals.commits.count() - last_->commits.count()) {
      const auto sum = static_cast<double>(totals.commits.sum() - last_->commits.sum());
      sample.mean_commit = sum / static_cast<double>(commits) / kNanosInSecond;
      sample.slow_commit = slow_one(last_->commits, totals.commits);
    }
    count_rules(totals, sample);
    if (samples_.size() == kMost) samples_.pop_front();
    samples_.push_back(std::move(sample));
  }
  // In step with the first, so that a timer that is late shifts none; after a sleep from now on,
  // and where it is so late that the next sample would be of moments, of which a rate says nothing.
  const bool is_in_step = last_ && now.instant - next_ < kStep / 2;
  next_ = (is_in_step ? next_ : now.instant) + kStep;
  last_ = std::move(totals);
}

}  // namespace concur
