#include "service/local_service.hpp"

#include "base/duration.hpp"
#include "base/text.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <filesystem>
#include <utility>

namespace concur {

namespace {

// Answers that wait for the disk, beyond which starts are refused at once: those that are
// let in are answered within two seconds where 40,000 a second become durable, and six whole
// batches fit. Ends, which make room, and all else are let in for as long again.
constexpr std::size_t kMostStarts = 65'536;
constexpr std::size_t kMostWaiting = 2 * kMostStarts;
// Of sessions that answers list which wait, denials among them, beyond which none that may list any
// is let in.
constexpr std::size_t kMostHeld = std::size_t{64} << 20;

constexpr std::uint64_t kLargeWal = std::uint64_t{256} << 20;

std::uint64_t size_of(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  return error ? 0 : size;
}

std::size_t size_of(const std::vector<SessionInfo>& sessions) {
  std::size_t size = 0;
  for (const SessionInfo& each : sessions) {
    const Details& details = each.details;
    size += sizeof each + each.user.size() + each.session.size() + details.device.size() +
            details.ip.size() + details.content.size() + details.meta.size();
  }
  return size;
}

std::size_t size_of(const Answer& answer) {
  if (const auto* denied = std::get_if<Denied>(&answer)) return size_of(denied->sessions);
  if (const auto* user = std::get_if<UserSessions>(&answer)) return size_of(user->sessions);
  if (const auto* page = std::get_if<Page>(&answer)) return size_of(page->sessions);
  return 0;
}

template <class Reply>
Reply take_first(std::deque<Reply>& replies) {
  Reply first = std::move(replies.front());
  replies.pop_front();
  return first;
}

}  // namespace

LocalService::LocalService(LoopRunner& runner, const Clock& clock, Logger& log, Registry registry,
                           Store store, std::string path)
    : runner_(runner),
      loop_(runner.loop()),
      clock_(clock),
      log_(log),
      registry_(std::move(registry)),
      asleep_(clock.now().asleep),
      looked_(clock.now().instant),
      path_(std::move(path)),
      clock_set_(clock.now()),
      denials_(log),
      sweep_timer_(loop_),
      reporter_(path_),
      copier_(path_),
      journal_(std::move(store), [this](const Result<void>& outcome) {
        boost::asio::post(loop_, [this, outcome] { committed(outcome); });
      }) {
  schedule_sweep();
}

void LocalService::submit(const Command& command, Reply reply) {
  const CommandKind kind = kind_of(command);
  if (finishing_) {
    meters_.failed(kind);
    reply(Error{ErrorKind::kUnavailable, "cannot take a command: the daemon is stopping"});
    return;
  }
  if (std::string full = no_room_for(kind); !full.empty()) {
    meters_.failed(kind);
    reply(Error{ErrorKind::kUnavailable, std::move(full)});
    return;
  }
  const auto* purge = std::get_if<Purge>(&command);
  if (purge != nullptr && !purge->user) return begin_purge(*purge, std::move(reply));
  const Now now = look_at_clock();
  registry_.publish_renewals(events_.wants_renewals());
  answer_when_durable(kind, now.since_boot, decide(command, now), std::move(reply));
}

Decision LocalService::decide(const Command& command, const Now& now) {
  return decided(registry_.apply(command, now));
}

Decision LocalService::decided(Decision&& decision) {
  ++others_;
  if (registry_.has_changes()) schedule_flush();
  if (registry_.has_events()) publish_events();
  return std::move(decision);
}

// Answers, at once or with the commit that it waits for.
void LocalService::answer_when_durable(CommandKind kind, std::chrono::nanoseconds since,
                                       Decision&& decision, Reply reply) {
  if (decision.waits_for == 0) return answer(kind, since, std::move(decision.answer), reply);
  const std::size_t bytes = size_of(decision.answer);
  held_ += bytes;
  ++waiting_;
  group_of(decision.waits_for)
      .answers.push_back({kind, since, std::move(decision.answer), std::move(reply), bytes});
}

// Why such a command cannot be let in, where it may have to wait; empty where it can.
std::string LocalService::no_room_for(CommandKind kind) const {
  const bool start = kind == CommandKind::kStart;
  const std::size_t most = start ? kMostStarts : kMostWaiting;
  if (waiting_ >= most) {
    return text::format("cannot {}: {} others wait for the disk already",
                        start ? "start" : "take it", most);
  }
  if (held_ >= kMostHeld && (start || kind == CommandKind::kOther)) {
    return text::format("cannot {}: long answers wait for the disk already, {} MiB of them",
                        start ? "start" : "take it", kMostHeld >> 20);
  }
  return {};
}

void LocalService::answer(CommandKind kind, std::chrono::nanoseconds since, Answer&& given,
                          const Reply& reply) {
  meters_.answered(kind, given, looked_);
  if (const auto* throttled = std::get_if<Throttled>(&given)) tell_throttled(*throttled);
  reply(std::move(given));
  meters_.took(kind, clock_.since_boot() - since);
}

void LocalService::tell_throttled(const Throttled& throttled) {
  const auto held_back = warn_of_throttled_.next(looked_);
  if (!held_back) return;
  log_.warning(
      "user {} starts more than {} sessions a minute and is answered 429: look for a player that "
      "starts again and again{}",
      throttled.user, throttled.rate,
      *held_back == 0 ? "" : text::format(" ({} more such answers before)", *held_back));
}

void LocalService::refuse(const Waiting& waiting, const std::string& message) {
  meters_.failed(waiting.kind);
  waiting.reply(Error{ErrorKind::kUnavailable, message});
  meters_.took(waiting.kind, clock_.since_boot() - waiting.since);
}

// Notices that the machine was suspended before anything is judged by the time that passed
// meanwhile.
Now LocalService::look_at_clock() {
  constexpr Millis kNap = std::chrono::seconds(1);
  const Now now = clock_.now();
  looked_ = now.instant;
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
  if (!registry_.has_changes() && !committing()) return read_report(query, std::move(reply));
  Group& last = registry_.has_changes() ? gathered_ : under_way_.back();
  last.reports.push_back([this, query, more, reply = std::move(reply)]() mutable {
    if (more && trouble_.empty()) {
      report(query, std::move(reply));
    } else {
      read_report(query, std::move(reply));
    }
  });
  schedule_flush();
}

void LocalService::read_report(const ReportQuery& query, ReportReply reply) {
  const WallTime since = clock_.now().wall() - query.back;
  const auto first = std::chrono::floor<std::chrono::hours>(since.time_since_epoch()).count();
  reports_read_.push_back(std::move(reply));
  const bool taken = reporter_.submit(query, first, [this](Result<Report> report) {
    boost::asio::post(loop_, [this, report = std::move(report)]() mutable {
      take_first(reports_read_)(std::move(report));
    });
  });
  if (!taken) {
    const ReportReply refused = std::move(reports_read_.back());
    reports_read_.pop_back();
    refused(Error{ErrorKind::kUnavailable,
                  "cannot report: others are being read; try again in a moment"});
  }
}

// What was answered is in the database already.
void LocalService::backup(BackupReply reply) {
  if (finishing_) {
    return reply(Error{ErrorKind::kUnavailable, "cannot back up: the daemon is stopping"});
  }
  backups_made_.push_back(std::move(reply));
  const bool taken = copier_.submit([this](Result<Fd> copy) {
    auto file = std::make_shared<Result<Fd>>(std::move(copy));
    boost::asio::post(loop_, [this, file] { take_first(backups_made_)(std::move(*file)); });
  });
  if (!taken) {
    const BackupReply refused = std::move(backups_made_.back());
    backups_made_.pop_back();
    refused(Error{ErrorKind::kUnavailable, "cannot back up: another backup is being made"});
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
  registry_.take_events([this](Event&& event) {
    meters_.published(event.kind, looked_);
    if (event.kind == EventKind::kDenied) denials_.add(event, looked_);
    events_.publish(std::move(event));
  });
  // Once a turn of the loop, for all of it.
  if (std::exchange(waking_, true)) return;
  boost::asio::post(loop_, [this] {
    waking_ = false;
    events_.wake_readers();
  });
}

ServiceStatus LocalService::status() const {
  ServiceStatus status;
  status.sessions = registry_.active_sessions();
  status.users = registry_.active_users();
  status.policy = registry_.policy();
  meters_.tell(status, clock_.now().instant);
  status.events = events_.next() - 1;
  status.watchers = events_.readers();
  status.database = path_;
  status.database_bytes = size_of(path_);
  status.wal_bytes = size_of(path_ + "-wal");
  status.commits = commits_;
  status.changes_waiting = changes_waiting();
  status.trouble = trouble_;
  return status;
}

// The journal reuses the log from its beginning when no reader stands in the way.
void LocalService::watch_wal() {
  const std::uint64_t bytes = size_of(path_ + "-wal");
  if (bytes <= kLargeWal || !warn_of_wal_.next(looked_)) return;
  log_.warning(
      "the write-ahead log {}-wal has {} MiB: end whoever reads the database without an end, such "
      "as an sqlite3 left open in a transaction",
      path_, bytes >> 20U);
}

// --- the end ---

void LocalService::finish(std::function<void()> done) {
  sweep_timer_.cancel();
  finishing_ = true;
  refuse_purges("cannot purge further: the daemon is stopping");
  denials_.flush();
  finished_ = std::move(done);
  saving_.emplace();
  save_step();
}

// The next step comes after the commit of this one, or at once where it changed nothing.
void LocalService::save_step() {
  constexpr std::uint32_t kSlots = 4096;
  if (!saving_ || commits_here_) return;
  if (!registry_.save_some(*saving_, kSlots, look_at_clock())) saving_.reset();
  if (registry_.has_changes()) {
    hand_over();
  } else if (saving_ && !committing()) {
    boost::asio::post(loop_, [this] { save_step(); });
  }
  finish_if_idle();
}

void LocalService::finish_if_idle() {
  const bool idle = !saving_ && !committing() && !registry_.has_changes();
  if (finished_ && idle) std::exchange(finished_, nullptr)();
}

}  // namespace concur
