#include "service/local_service.hpp"

#include "base/duration.hpp"

#include <fmt/format.h>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <filesystem>
#include <utility>

namespace concur {

namespace {

constexpr std::uint32_t kSweepStep = 1024;   // slots looked at between two turns of the loop
constexpr std::uint32_t kLeastSwept = 4096;  // slots a tick: a small house is tidied at each
constexpr std::size_t kSweepBacklog =
    16 * 1024;  // changes waiting for the journal, beyond which the sweeper rests

std::uint64_t size_of(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  return error ? 0 : size;
}

}  // namespace

LocalService::LocalService(boost::asio::io_context& loop, const Clock& clock, Logger& log,
                           Registry registry, Store store, std::string path)
    : loop_(loop),
      clock_(clock),
      log_(log),
      registry_(std::move(registry)),
      asleep_(clock.now().asleep),
      path_(std::move(path)),
      clock_set_(clock.now()),
      sweep_timer_(loop),
      reporter_(path_),
      journal_(std::move(store), [this](const Result<void>& outcome) {
        boost::asio::post(loop_, [this, outcome] { committed(outcome); });
      }) {
  schedule_sweep();
}

void LocalService::submit(const Command& command, Reply reply) {
  if (finishing_) {
    reply(Error{ErrorKind::kUnavailable, "cannot take a command: the daemon is stopping"});
    return;
  }
  const Now now = look_at_clock();
  registry_.tell_renewals(events_.wants_renewals());
  Decision decision = registry_.apply(command, now);
  count(decision.answer, now.instant);
  if (registry_.has_changes()) schedule_flush();
  if (registry_.has_events()) publish_events();
  if (decision.waits_for == 0) {
    reply(std::move(decision.answer));
    return;
  }
  auto& queue = committing_ && decision.waits_for <= handed_upto_ ? waiting_ : gathered_;
  queue.push_back({std::move(decision.answer), std::move(reply)});
}

// Notices that the machine was suspended before anything is judged by the time that passed
// meanwhile.
Now LocalService::look_at_clock() {
  constexpr Millis kNap = std::chrono::seconds(1);
  const Now now = clock_.now();
  const Millis slept = now.asleep - asleep_;
  if (slept < kNap) return now;
  asleep_ = now.asleep;
  log_.info("the machine was suspended for {}: active sessions get a heartbeat interval of grace",
            format_duration(std::chrono::round<std::chrono::seconds>(slept)));
  registry_.wake(slept, now);
  return now;
}

// --- the record of who shares ---

// First all that is recorded so far is stored, in commits of a bounded size, then it is read.
void LocalService::report(const ReportQuery& query, ReportReply reply) {
  if (finishing_) {
    return reply(Error{ErrorKind::kUnavailable, "cannot report: the daemon is stopping"});
  }
  constexpr std::size_t kPartsAtOnce = 2048;
  const bool more = registry_.flush_usage(kPartsAtOnce, look_at_clock());
  if (!registry_.has_changes() && !committing_) return read_report(query, std::move(reply));
  auto& queue = registry_.has_changes() ? reports_gathered_ : reports_waiting_;
  queue.push_back([this, query, more, reply = std::move(reply)] {
    if (more && trouble_.empty()) {
      report(query, reply);
    } else {
      read_report(query, reply);
    }
  });
  schedule_flush();
}

void LocalService::read_report(const ReportQuery& query, ReportReply reply) {
  const WallTime since = clock_.now().wall() - query.back;
  const auto first = std::chrono::floor<std::chrono::hours>(since.time_since_epoch()).count();
  // The reply belongs to the loop thread: it goes there and back unseen, in a shared place.
  auto kept = std::make_shared<ReportReply>(std::move(reply));
  const bool taken = reporter_.submit(query, first, [this, kept](Result<Report> report) {
    boost::asio::post(loop_,
                      [kept, report = std::move(report)]() mutable { (*kept)(std::move(report)); });
  });
  if (!taken) {
    (*kept)(Error{ErrorKind::kUnavailable,
                  "cannot report: others are being read; try again in a moment"});
  }
}

// A clock that is far ahead must not empty the record: for an hour after the start, and after a
// step of the clock, nothing is trimmed, so that there is time to set it right.
std::int64_t LocalService::oldest_hour(const Now& now) {
  constexpr auto kStep = std::chrono::hours(1);
  const auto moved = now.wall_offset - clock_set_.wall_offset;
  if (moved > kStep || moved < -kStep) clock_set_ = now;
  if (now.instant - clock_set_.instant <= kStep) return 0;
  return std::chrono::floor<std::chrono::hours>((now.wall() - history_).time_since_epoch()).count();
}

void LocalService::set_policy(const Policy& policy) {
  registry_.set_policy(policy, look_at_clock());
  publish_events();
}

void LocalService::publish_events() {
  registry_.take_events([this](Event event) { events_.publish(std::move(event)); });
  // Once a turn of the loop, for all of it.
  if (std::exchange(waking_, true)) return;
  boost::asio::post(loop_, [this] {
    waking_ = false;
    events_.wake_readers();
  });
}

void LocalService::count(const Answer& answer, Instant now) {
  if (const auto* granted = std::get_if<Granted>(&answer)) {
    (granted->renewed ? heartbeats_ : starts_).add(now);
    if (granted->would_deny) denials_.add(now);
  } else if (std::holds_alternative<Denied>(answer)) {
    denials_.add(now);
  } else if (const auto* ended = std::get_if<Ended>(&answer); ended && ended->ended) {
    ends_.add(now);
  }
}

ServiceStatus LocalService::status() const {
  const Instant now = clock_.now().instant;
  const auto rate = [now](const RateMeter& meter) {
    return Rate{meter.total(), meter.per_second(now)};
  };
  return {registry_.active_sessions(),
          registry_.active_users(),
          registry_.policy(),
          rate(starts_),
          rate(denials_),
          rate(heartbeats_),
          rate(ends_),
          path_,
          size_of(path_),
          size_of(path_ + "-wal"),
          commits_,
          trouble_};
}

// --- committing ---

// The flush runs behind what is ready in this turn of the loop, so that all of it shares a commit.
void LocalService::schedule_flush() {
  if (flush_scheduled_ || committing_) return;
  flush_scheduled_ = true;
  boost::asio::post(loop_, [this] { flush(); });
}

void LocalService::flush() {
  flush_scheduled_ = false;
  if (!committing_ && registry_.has_changes()) hand_over();
}

void LocalService::hand_over() {
  committing_.emplace(loop_.get_executor());
  handed_upto_ = registry_.last_change();
  std::swap(waiting_, gathered_);
  std::swap(reports_waiting_, reports_gathered_);
  const Now now = clock_.now();
  journal_.submit({registry_.take_changes(), now.offset(), oldest_hour(now)});
}

void LocalService::committed(const Result<void>& outcome) {
  committing_.reset();
  ++commits_;
  if (outcome) {
    succeeded();
  } else {
    failed(outcome.error());
  }
  flush();
  finish_if_idle();
}

void LocalService::succeeded() {
  if (!trouble_.empty()) {
    log_.info("commits to {} work again", path_);
    trouble_.clear();
  }
  registry_.confirm(handed_upto_);
  publish_events();
  for (auto& [answer, reply] : std::exchange(waiting_, {})) reply(std::move(answer));
  for (const auto& report : std::exchange(reports_waiting_, {})) report();
}

void LocalService::failed(const Error& error) {
  const std::string message = fmt::format("cannot commit to {}: {}", path_, error.message);
  if (trouble_.empty()) {
    log_.error("{}; starts and ends are answered 503 until it works again", message);
  }
  trouble_ = message;
  registry_.undo();
  publish_events();
  auto waiting = std::exchange(waiting_, {});
  std::move(gathered_.begin(), gathered_.end(), std::back_inserter(waiting));
  gathered_.clear();
  for (const auto& [answer, reply] : waiting) reply(Error{ErrorKind::kUnavailable, message});
  // They tell of what is stored then.
  for (const auto& report : std::exchange(reports_waiting_, {})) report();
}

void LocalService::finish(std::function<void()> done) {
  sweep_timer_.cancel();
  finishing_ = true;
  finished_ = std::move(done);
  registry_.settle(look_at_clock());
  flush();
  finish_if_idle();
}

void LocalService::finish_if_idle() {
  if (finished_ && !committing_ && !registry_.has_changes()) std::exchange(finished_, nullptr)();
}

// --- sweeping ---

// How long one look at every slot may take. A saved lease must not lag by a third of it, and a look
// can be late.
Millis LocalService::lap() const {
  return std::clamp<Millis>(registry_.shortest_lease() / 4, Millis(250), std::chrono::seconds(10));
}

void LocalService::schedule_sweep() {
  sweep_timer_.expires_after(std::min<Millis>(lap(), std::chrono::seconds(1)));
  sweep_timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled) start_sweep();
  });
}

void LocalService::start_sweep() {
  if (!trouble_.empty()) {
    if (!committing_) hand_over();
    schedule_sweep();
    return;
  }
  const auto tick = std::min<Millis>(lap(), std::chrono::seconds(1));
  const auto share =
      static_cast<std::uint64_t>(registry_.slots()) * tick.count() / lap().count() + 1;
  sweep_step(std::max(kLeastSwept, static_cast<std::uint32_t>(share)));
}

void LocalService::sweep_step(std::uint32_t slots) {
  if (finishing_) return;
  const std::uint32_t step = std::min({slots, kSweepStep, registry_.slots()});
  if (registry_.pending_changes() < kSweepBacklog) {
    registry_.sweep(step, 2 * lap(), look_at_clock());
    if (registry_.has_changes()) schedule_flush();
    slots = slots > kSweepStep && registry_.slots() > kSweepStep ? slots - step : 0;
  } else {
    slots = 0;  // the journal is behind: go on at the next tick
  }
  if (slots == 0) {
    schedule_sweep();
  } else {
    boost::asio::post(loop_, [this, slots] { sweep_step(slots); });
  }
}

}  // namespace concur
