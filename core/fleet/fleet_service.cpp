#include "fleet/fleet_service.hpp"

#include "base/text.hpp"
#include "service/long_reads.hpp"

#include <algorithm>
#include <filesystem>
#include <random>
#include <utility>
#include <variant>

namespace concur {

namespace {

constexpr Millis kStopPatience{2000};  // for what is under way, beside the engine's own time
constexpr std::size_t kPartsAtOnce = 2048;
constexpr Millis kAskTime{5000};
constexpr Millis kAway{1000};  // of a primary, so that signs of life may be missing
constexpr std::uint64_t kNamesSeed = 0x636F6E637572;  // the same in all boxes

std::uint64_t random_bits() {
  std::random_device random;
  return (std::uint64_t{random()} << 32U) | random();
}

std::int64_t new_identity() {
  constexpr std::uint64_t k53Bits = (std::uint64_t{1} << 53U) - 1;
  return static_cast<std::int64_t>(std::max<std::uint64_t>(random_bits() & k53Bits, 1));
}

std::uint64_t size_of(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  return error ? 0 : size;
}

engine::EngineConfig engine_config(const FleetService::Parts& parts, const std::string& prefix) {
  engine::EngineConfig config;
  config.seeds = parts.config.seeds;
  config.login = parts.login;
  config.prefix = prefix;
  config.timeout = parts.config.timeout;
  config.ack = parts.config.ack;
  return config;
}

}  // namespace

FleetService::FleetService(LoopRunner& runner, EventLog& events, const Clock& clock, Logger& log,
                           Parts parts, Store store, Stored stored)
    : runner_(runner),
      events_(events),
      clock_(clock),
      log_(log),
      parts_(std::move(parts)),
      prefix_(parts_.config.name + ":"),
      dialer_(runner.loop(), parts_.tls),
      engine_(runner.turn(), clock, dialer_, engine_config(parts_, prefix_)),
      judge_(parts_.service.policy, random_bits(), kNamesSeed),
      journal_(runner, clock, log, std::move(store), parts_.path),
      served_([this](Change&& change) { journal_.add(std::move(change)); }),
      plans_(engine_, judge_, clock, prefix_, parts_.config.timeout,
             [this](Change&& change) { journal_.add(std::move(change)); }),
      boxes_(engine_, clock, prefix_, parts_.config.timeout,
             {static_cast<std::uint64_t>(stored.box != 0 ? stored.box : new_identity()),
              parts_.config.box, parts_.version, digest_of(parts_.service.policy)}),
      inbox_(engine_, clock, prefix_, parts_.config.timeout, boxes_.self().id,
             [this](const std::string& user) { desks_.sync(user); }),
      desks_({runner.loop(), runner.turn(), clock, engine_, judge_, served_, counts_,
              [this](std::vector<Event>&& happened) { publish(std::move(happened)); },
              [this](std::uint64_t box) { return boxes_.label_of(box); },
              [this](std::uint64_t box, std::string_view user) { inbox_.tell(box, user); }},
             parts_.config, prefix_, boxes_.self().id),
      walk_(
          engine_, clock, [this](std::string_view key) { return user_of_key(prefix_, key); },
          parts_.config.timeout),
      record_(engine_, clock, prefix_, parts_.config.timeout, boxes_.self().id,
              parts_.service.history),
      lists_(walk_, desks_, judge_, boxes_, clock, work_),
      denials_(log),
      reader_(runner.loop(), "reports", 9),
      copier_(runner.loop(), "backup", 1),
      checker_(runner.loop(), runner.turn(), clock, dialer_),
      timer_(runner.loop()) {
  const Now now = clock_.now();
  for (const PlanRow& each : stored.plans) plans_.restore(each);
  plans_.begin();
  for (Row& each : stored.sessions) served_.restore(std::move(each), now);
  desks_.sync_all_served();
  if (stored.box == 0) {
    journal_.add(PutBox{static_cast<std::int64_t>(boxes_.self().id)});
    enter(std::move(stored));
  }
  log_.info("box {} ({}) of the fleet {}: {} sessions served here", parts_.config.box,
            hex_of(boxes_.self().id), parts_.config.name, served_.sessions());
  schedule_tick();
}

// --- commands ---

void FleetService::submit(const Command& command, const Now& now, Reply reply) {
  if (finishing_) {
    return reply(Error{ErrorKind::kUnavailable, "cannot take a command: the daemon is stopping"});
  }
  const CommandKind kind = kind_of(command);
  if (!desks_.backlog().admits(kind)) {
    return reply(Error{ErrorKind::kUnavailable, desks_.backlog().refusal(kind)});
  }
  judge_.publish_renewals(events_.wants_renewals());
  std::visit(
      [&](const auto& each) {
        using Kind = std::decay_t<decltype(each)>;
        if constexpr (std::is_same_v<Kind, ListAll> || std::is_same_v<Kind, ListLimits> ||
                      std::is_same_v<Kind, ListBlocks>) {
          lists_.list(each, std::move(reply));
        } else if constexpr (std::is_same_v<Kind, SetPlan>) {
          set_plan(each, std::move(reply));
        } else if constexpr (std::is_same_v<Kind, RemovePlan>) {
          remove_plan(each, std::move(reply));
        } else if constexpr (std::is_same_v<Kind, ListPlans>) {
          list_plans(std::nullopt, std::move(reply));
        } else if constexpr (std::is_same_v<Kind, ShowPlan>) {
          list_plans(each.plan, std::move(reply));
        } else if constexpr (std::is_same_v<Kind, Purge>) {
          if (!each.user) return lists_.purge(each, std::move(reply));
          desks_.submit(each.user->text(), command, now, std::move(reply));
        } else if constexpr (std::is_same_v<Kind, SetLimit>) {
          set_limit(each, now, std::move(reply));
        } else {
          desks_.submit(each.user.text(), command, now, std::move(reply));
        }
      },
      command);
}

Now FleetService::engine_like(const Now& now) const {
  return {now.instant + now.offset(), {}, now.asleep, now.since_boot};
}

void FleetService::publish(std::vector<Event>&& happened) {
  const Now now = clock_.now();
  for (Event& each : happened) {
    if (each.kind == EventKind::kDenied) denials_.add(each, now.instant);
    events_.publish(std::move(each), now.instant);
  }
}

// --- reports, backups, checks, settings ---

void FleetService::store_usage() {
  for (AddUsage& each : judge_.take_usage()) {
    record_.add(each);
    journal_.add(std::move(each));
  }
}

void FleetService::report(const ReportQuery& query, ReportReply reply) {
  if (finishing_) {
    return reply(Error{ErrorKind::kUnavailable, "cannot report: the daemon is stopping"});
  }
  if (reader_.full()) {
    return reply(Error{ErrorKind::kUnavailable,
                       "cannot report: others are being read; try again in a moment"});
  }
  judge_.flush_usage(judge_.usage_parts(), engine_like(clock_.now()));
  store_usage();
  const WallTime since = clock_.now().wall() - query.back;
  const auto first = std::chrono::floor<std::chrono::hours>(since.time_since_epoch()).count();
  auto shared = std::make_shared<ReportReply>(std::move(reply));
  auto work = work_.add("report", "hours", clock_.now().instant);
  record_.collect(first, query.user,
                  [this, query, first, shared, work](Result<FleetRecord::Hours> hours) {
                    if (!hours) return (*shared)(hours.error());
                    reader_.submit(
                        [record = std::move(*hours), query, first,
                         work](Interruption& interruption) -> Result<Report> {
                          return read_report(record, query, first, *work, interruption);
                        },
                        std::move(*shared));
                  });
}

void FleetService::backup(BackupReply reply) {
  reply(Error{ErrorKind::kUnsupported,
              "cannot back up a fleet: its sessions are in the engine, which has its own backups "
              "(BGSAVE); what this box keeps is copied by concur backup --local; see "
              "concurrencyd-fleet(7)"});
}

void FleetService::backup_local(BackupReply reply) {
  if (finishing_) {
    return reply(Error{ErrorKind::kUnavailable, "cannot back up: the daemon is stopping"});
  }
  if (copier_.full()) {
    return reply(Error{ErrorKind::kUnavailable, "cannot back up: another backup is being made"});
  }
  // What was answered may still wait to be stored.
  auto shared = std::make_shared<BackupReply>(std::move(reply));
  journal_.when_stored([this, shared, work = work_.add("backup", {}, clock_.now().instant)] {
    copier_.submit(
        [path = parts_.path, files = journal_.files(), work](Interruption& interruption)
            -> Result<Fd> { return copy_database(files.get(), path, *work, interruption); },
        std::move(*shared));
  });
}

void FleetService::check_fleet(CheckReply reply) {
  std::vector<FleetStatus::Box> boxes;
  const Boxes::Self& self = boxes_.self();
  boxes.push_back({hex_of(self.id), self.label, self.version, self.policy, clock_.now().wall()});
  for (FleetStatus::Box& each : boxes_.others()) boxes.push_back(std::move(each));
  checker_.check(parts_.config, parts_.login, std::move(boxes), std::move(reply));
}

void FleetService::configure(const ServiceConfig& config) {
  parts_.service = config;
  judge_.set_policy(config.policy, engine_like(clock_.now()));
  publish(judge_.take_events());
  boxes_.set_policy(digest_of(config.policy));
  record_.keep(config.history);
  // They have just been read, and what comes through a pipe comes once.
  if (std::exchange(configured_, true)) renew_files();
}

// The password and the certificates may have been rotated.
void FleetService::renew_files() {
  const FleetConfig& config = parts_.config;
  if (!config.password_file.empty()) {
    auto password = engine::read_password(config.password_file, Millis(0));
    if (!password) {
      log_.error("{}; the old password stays", password.error().message);
    } else {
      parts_.login.password = std::move(*password);
      engine_.renew(parts_.login);
    }
  }
  if (!config.tls) return;
  auto tls = engine::load_tls({config.ca_file, config.cert_file, config.key_file});
  if (!tls) return log_.error("{}; the old certificates stay", tls.error().message);
  dialer_.renew(std::move(*tls));
}

ServiceStatus FleetService::status() const {
  DatabaseStatus database;
  database.path = parts_.path;
  database.bytes = size_of(parts_.path);
  database.wal_bytes = size_of(parts_.path + "-wal");
  database.commits = journal_.counts();
  database.waiting_changes = journal_.waiting();
  ServiceStatus status;
  status.sessions = served_.sessions();
  status.users = served_.users();
  status.policy = parts_.service.policy;
  status.storage = std::move(database);
  status.work = work_.list();
  FleetStatus& fleet = status.fleet.emplace();
  const engine::EngineHealth health = engine_.health();
  const Now now = clock_.now();
  std::size_t up = 0;
  for (const engine::PrimaryHealth& each : health.primaries) {
    FleetStatus::Primary primary;
    primary.address = to_text(each.address);
    primary.up = each.up;
    primary.trouble = each.trouble;
    if (each.clock) {
      primary.clock_offset = FleetStatus::ClockOffset{each.clock->earliest - now.offset(),
                                                      each.clock->latest - now.offset()};
    }
    primary.short_of_replicas = each.short_of_replicas;
    primary.requests = each.requests;
    up += each.up ? 1 : 0;
    fleet.primaries.push_back(std::move(primary));
  }
  fleet.state = health.whole ? FleetStatus::State::kOk
                : up > 0     ? FleetStatus::State::kDegraded
                             : FleetStatus::State::kDown;
  fleet.box = parts_.config.box;
  fleet.box_id = hex_of(boxes_.self().id);
  fleet.name = parts_.config.name;
  fleet.policy = boxes_.self().policy;
  fleet.ack = word_of(parts_.config.ack);
  fleet.unavailable = word_of(parts_.config.unavailable);
  fleet.trouble = health.trouble;
  fleet.others = boxes_.others();
  fleet.counts = counts_;
  const engine::Counters counters = engine_.counters();
  fleet.counts.redirects = {counters.moved, counters.asked, counters.read_only, counters.retried};
  fleet.counts.reconnects = counters.reconnects;
  fleet.counts.unacknowledged = counters.unacknowledged;
  return status;
}

// --- what is done now and then ---

void FleetService::schedule_tick() {
  timer_.expires_after(engine::Engine::kTick);
  timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (cancelled) return;
    tick();
    schedule_tick();
  });
}

void FleetService::tick() {
  engine_.tick();
  runner_.turn().run([this] {
    const Now now = clock_.now();
    if (now.instant >= next_look_) {
      next_look_ = now.instant + Millis(200);
      watch_engine(now);
      if (!finishing_) {
        ask_time(now.instant);
        plans_.tick();
        boxes_.tick();
        inbox_.tick();
        record_.tick();
        desks_.tick(whole_);
        if (whole_) go_on_entering();
      }
    }
    if (now.instant >= next_second_) {
      next_second_ = now.instant + Millis(1000);
      denials_.tick(now.instant);
      work_.log_long(log_, now.instant);
      judge_.flush_ripe_usage(kPartsAtOnce, engine_like(now));
      store_usage();
      journal_.tick();
    }
    journal_.go_on();
    if (finishing_) stop_when_idle();
  });
}

void FleetService::ask_time(Instant now) {
  if (now < next_ask_) return;
  next_ask_ = now + kAskTime;
  engine_.ask_time(now + parts_.config.timeout);
}

// Says when the engine goes and comes, and what follows from it.
void FleetService::watch_engine(const Now& now) {
  const engine::EngineHealth health = engine_.health();
  std::vector<engine::Address> primaries;
  std::string trouble = health.trouble;
  for (const engine::PrimaryHealth& each : health.primaries) {
    primaries.push_back(each.address);
    if (!each.up && trouble.empty()) {
      trouble = text::format("{} does not answer: {}", to_text(each.address), each.trouble);
    }
  }
  // Signs of life may not have come through, or leases look older than they are.
  for (const engine::PrimaryHealth& each : health.primaries) {
    Seen& seen = seen_[each.address];
    const bool was_away = each.up && seen.down_since && now.instant - *seen.down_since >= kAway;
    if (was_away || each.clock_steps != seen.clock_steps) {
      desks_.give_grace(now.instant + std::max<Millis>(parts_.service.policy.lease, kAway));
    }
    seen.clock_steps = each.clock_steps;
    if (each.up) seen.down_since.reset();
    if (!each.up && !seen.down_since) seen.down_since = now.instant;
  }
  std::sort(primaries.begin(), primaries.end());
  const bool changed = !primaries_.empty() && primaries != primaries_;
  if (changed) desks_.give_grace(now.instant + parts_.service.policy.lease);
  if (health.whole && (!whole_ || changed)) {
    if (!told_.empty()) log_.info("the fleet's engine answers again, all of it");
    told_.clear();
    desks_.sync_all();
  }
  if (!health.whole && told_.empty() && (whole_ || lost_looks_++ == kLooksBeforeTold)) {
    told_ = trouble.empty() ? "it is not known yet who owns which users" : trouble;
    log_.error(
        "the fleet's engine cannot be asked for some users, or for all: {}; their starts are {} "
        "until it answers: concur fleet check says what to mend",
        told_,
        parts_.config.unavailable == Unavailable::kLocal   ? "judged by this box alone"
        : parts_.config.unavailable == Unavailable::kAllow ? "let in"
                                                           : "answered 503");
  }
  if (health.whole) lost_looks_ = 0;
  whole_ = health.whole;
  if (!primaries.empty()) primaries_ = std::move(primaries);
}

// --- the end ---

void FleetService::finish(Callback<void()> done) {
  finishing_ = true;
  finished_ = std::move(done);
  checker_.stop();
  denials_.flush();
  give_up_ = clock_.now().instant + parts_.config.timeout + kStopPatience;
  stop_when_idle();
}

void FleetService::stop_when_idle() {
  if (!finished_) return;
  if (desks_.commands_under_way() > 0 && clock_.now().instant < give_up_) return;
  engine_.close();
  judge_.flush_usage(judge_.usage_parts(), engine_like(clock_.now()));
  store_usage();
  served_.save_leases();
  timer_.cancel();
  journal_.finish(std::exchange(finished_, {}));
}

}  // namespace concur
