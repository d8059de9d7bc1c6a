#include "service/local_service.hpp"

#include "base/duration.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"
#include "service/long_reads.hpp"

#include <boost/asio/post.hpp>

#include <filesystem>
#include <utility>
#include <variant>

namespace concur {

namespace {

constexpr std::uint32_t kSaveStep = 4096;  // slots looked at for one commit of leases
constexpr std::uint64_t kLargeWal = std::uint64_t{256} << 20;

std::uint64_t size_of(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  return error ? 0 : size;
}

}  // namespace

LocalService::LocalService(LoopRunner& runner, EventLog& events, const Clock& clock, Logger& log,
                           Registry registry, Store store, std::string path)
    : loop_(runner.loop()),
      events_(events),
      clock_(clock),
      log_(log),
      path_(std::move(path)),
      sleep_(clock.now()),
      registry_(std::move(registry)),
      denials_(log),
      committer_(runner, clock, log, registry_, std::move(store), path_, *this),
      rebuilder_(registry_, committer_, clock),
      record_(loop_, clock, registry_, committer_, work_, path_),
      copier_(loop_, "backup", 1),
      purger_(loop_, registry_, *this, work_),
      sweeper_(loop_, registry_, *this),
      tick_timer_(loop_) {
  schedule_tick();
}

// --- commands ---

void LocalService::submit(const Command& command, const Now& now, Reply reply) {
  if (finishing_) {
    return reply(Error{ErrorKind::kUnavailable, "cannot take a command: the daemon is stopping"});
  }
  const CommandKind kind = kind_of(command);
  if (!committer_.backlog().admits(kind)) {
    return reply(Error{ErrorKind::kUnavailable, committer_.backlog().refusal(kind)});
  }
  const auto* purge = std::get_if<Purge>(&command);
  if (purge != nullptr && !purge->user) return purger_.begin(*purge, std::move(reply));
  notice_sleep(now);
  registry_.publish_renewals(events_.wants_renewals());
  Decision decision = registry_.apply(command, now);
  committer_.command_decided();
  if (registry_.has_events()) publish_events(now);
  // What is tried again is told nobody, and need not wait for what it rests on.
  const auto* start = std::get_if<Start>(&command);
  const bool is_denied = std::holds_alternative<Denied>(decision.answer);
  if (is_denied && start != nullptr && start->tries) decision.waits_for = 0;
  if (const auto* throttled = std::get_if<Throttled>(&decision.answer)) {
    warn_of_throttled(*throttled, now);
  }
  answer(std::move(decision), std::move(reply));
}

void LocalService::answer(Decision&& decision, Reply reply) {
  if (decision.waits_for == 0) return reply(std::move(decision.answer));
  committer_.hold(decision.waits_for, std::move(decision.answer), std::move(reply));
}

void LocalService::warn_of_throttled(const Throttled& throttled, const Now& now) {
  const auto suppressed = throttled_.next(now.instant);
  if (!suppressed) return;
  log_.warning(
      "user {} starts more than {} sessions a minute and is answered 429: look for a player that "
      "starts again and again{}",
      throttled.user, throttled.rate,
      *suppressed == 0 ? "" : text::format(" ({} more such answers before)", *suppressed));
}

// It begins, and is not told of again while it lasts.
void LocalService::warn_of_fight(const Event& event, const Now& now) {
  const auto suppressed = fights_.next(now.instant);
  if (!suppressed) return;
  log_.warning(
      "user {}: several players use device {} and replace each other's sessions; until they stop, "
      "each counts as one: have every player send a device of its own{}",
      in_quotes(event.user.str()), in_quotes(event.more->details.device),
      *suppressed == 0 ? "" : text::format(" ({} more such devices before)", *suppressed));
}

void LocalService::log_other_throttled(const Now& now) {
  const std::uint64_t left_over = throttled_.take_left_over(now.instant);
  if (left_over > 0) log_.warning("{} more starts were answered 429 in the last minute", left_over);
}

void LocalService::decided() {
  committer_.decided();
  if (registry_.has_events()) publish_events(clock_.now());
}

Now LocalService::look_at_clock() {
  const Now now = clock_.now();
  notice_sleep(now);
  return now;
}

// Before anything is judged by the time that passed in a suspend, whoever was active gets grace.
void LocalService::notice_sleep(const Now& now) {
  const Millis slept = sleep_.slept(now);
  if (slept == Millis(0)) return;
  log_.info("the machine was suspended for {}: active sessions get a heartbeat interval of grace",
            format_duration(std::chrono::round<std::chrono::seconds>(slept)));
  registry_.wake(slept, now);
}

void LocalService::publish_events(const Now& now) {
  registry_.take_events([this, &now](Event&& event) {
    if (event.kind == EventKind::kDenied) denials_.add(event, now.instant);
    if (event.more && event.more->fight) warn_of_fight(event, now);
    events_.publish(std::move(event), now.instant);
  });
}

void LocalService::after_answers(const std::string* failure) {
  if (failure != nullptr) return purger_.refuse(*failure);
  purger_.go_on();
  if (!finishing_) sweeper_.go_on();
}

// --- reports, backups, settings ---

void LocalService::report(const ReportQuery& query, ReportReply reply) {
  if (finishing_) {
    return reply(Error{ErrorKind::kUnavailable, "cannot report: the daemon is stopping"});
  }
  record_.report(query, std::move(reply));
}

// What was answered is in the database already.
void LocalService::backup(BackupReply reply) {
  if (finishing_) {
    return reply(Error{ErrorKind::kUnavailable, "cannot back up: the daemon is stopping"});
  }
  if (copier_.full()) {
    return reply(Error{ErrorKind::kUnavailable, "cannot back up: another backup is being made"});
  }
  copier_.submit(
      [path = path_, files = committer_.files(),
       work = work_.add("backup", {}, clock_.now().instant)](Interruption& interruption)
          -> Result<Fd> { return copy_database(files.get(), path, *work, interruption); },
      std::move(reply));
}

void LocalService::configure(const ServiceConfig& config) {
  const Now now = look_at_clock();
  registry_.set_policy(config.policy, now);
  record_.keep(config.history);
  publish_events(now);
}

ServiceStatus LocalService::status() const {
  DatabaseStatus database;
  database.path = path_;
  database.bytes = size_of(path_);
  database.wal_bytes = size_of(path_ + "-wal");
  database.commits = committer_.counts();
  database.waiting_changes = committer_.waiting_changes();
  ServiceStatus status;
  status.sessions = registry_.active_sessions();
  status.users = registry_.active_users();
  status.users_at_limit = registry_.users_at_limit();
  status.blocks = registry_.blocks();
  status.policy = registry_.policy();
  status.trouble = trouble();
  status.storage = std::move(database);
  status.work = work_.list();
  return status;
}

// --- what is done now and then ---

void LocalService::schedule_tick() {
  tick_timer_.expires_after(sweeper_.tick_length());
  tick_timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled) tick();
  });
}

void LocalService::tick() {
  const Now now = look_at_clock();
  denials_.tick(now.instant);
  work_.log_long(log_, now.instant);
  log_other_throttled(now);
  warn_of_large_wal(now);
  committer_.trim_before(record_.oldest_hour(now));
  if (trouble().empty()) {
    committer_.check_files();
    sweeper_.tick();
  } else {
    sweeper_.pause();
    committer_.probe();
  }
  schedule_tick();
}

// The log is written from its beginning again when no reader stands in the way.
void LocalService::warn_of_large_wal(const Now& now) {
  const std::uint64_t bytes = size_of(path_ + "-wal");
  if (bytes <= kLargeWal || !large_wal_.next(now.instant)) return;
  log_.warning(
      "the write-ahead log {}-wal has {} MiB: end whoever reads the database without an end, such "
      "as an sqlite3 left open in a transaction",
      path_, bytes >> 20U);
}

// --- the end ---

void LocalService::finish(Callback<void()> done) {
  finishing_ = true;
  tick_timer_.cancel();
  sweeper_.pause();
  purger_.stop("cannot purge further: the daemon is stopping");
  denials_.flush();
  finished_ = std::move(done);
  committer_.check_files();
  save_step();
}

// Leases that heartbeats have moved are stored in commits of a bounded size, the next one decided
// in a turn after the commit of the one before. Where that fails, no other one is tried.
void LocalService::save_step() {
  const bool more = registry_.save_some(saving_, kSaveStep, look_at_clock());
  committer_.commit_now();
  committer_.when_stored([this, more] {
    if (!more || !trouble().empty()) return committer_.finish(std::move(finished_));
    boost::asio::post(loop_, [this] { save_step(); });
  });
}

}  // namespace concur
