#include "machine.hpp"

#include "store/sqlite.hpp"

#include <algorithm>
#include <utility>

namespace concur::simulation {

namespace {

constexpr const char* kPath = "sessions.db";
constexpr Millis kOnTime{250};

}  // namespace

struct Machine::Running {
  Running(const Clock& clock, Registry registry, Store store)
      : work(loop.get_executor()),
        service(runner, events, clock, log, std::move(registry), std::move(store), kPath) {}

  boost::asio::io_context loop;
  LoopRunner runner{loop};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work;
  Logger log{LogLevel::kError, LogFormat::kText};
  EventLog events;
  LocalService service;
};

Machine::Machine(std::uint64_t seed) : disk(seed), random_(seed ^ 0x5EED), vfs_(disk) {
  disk.set_gate([this] { scheduler_.pass(); });
}

Machine::~Machine() {
  if (running_) tear_down();
}

Service& Machine::service() { return running_->service; }

const EventLog& Machine::events() { return running_->events; }

Result<std::uint64_t> Machine::start(const Policy& policy) {
  Vfs::forget();  // the first to open a database makes the index of its log anew
  const Now now = clock.now();
  auto store = Store::open(kPath, Durability::kFull, boot_name());
  if (!store) return store.error();
  Registry registry(policy, 1);
  const auto report =
      store->load(now, [&](StoredRow row) { return registry.restore(std::move(row), now); });
  if (!report) return report.error();
  registry.reserve_rows(report->last_id, now);
  scheduler_.open(false);
  running_ = std::make_unique<Running>(clock, std::move(registry), std::move(*store));
  scheduler_.find_threads();
  scheduler_.wait_until_idle();
  return report->refused;
}

std::string Machine::boot_name() const {
  return tells_boots_ ? "boot " + std::to_string(boot_) : "";
}

// What a dead machine had ready is not told to anybody.
bool Machine::poll() { return !disk.is_dead() && running_->loop.poll() > 0; }

void Machine::run() {
  while (true) {
    const bool ran = poll();
    scheduler_.wait_until_idle();
    if (disk.is_dead()) return;
    if (scheduler_.waiting() > 0) {
      scheduler_.run_one(random_);
    } else if (!ran) {
      return;
    }
  }
}

void Machine::run_a_little(std::uint64_t turns) {
  poll();
  scheduler_.wait_until_idle();
  for (; turns > 0 && scheduler_.waiting() > 0 && !disk.is_dead(); --turns)
    scheduler_.run_one(random_);
}

void Machine::advance(Millis by) {
  // In a long time nobody looks so closely.
  const Millis at_once = by > std::chrono::minutes(10) ? 4 * kOnTime : kOnTime;
  while (by > Millis(0) && !disk.is_dead()) {
    const Millis step = std::min(by, at_once);
    clock.tick(step);
    run();
    by -= step;
  }
}

bool Machine::finish() {
  bool done = false;
  running_->service.finish([&done] { done = true; });
  run();
  tear_down();
  return done;
}

void Machine::tear_down() {
  scheduler_.open(true);
  running_.reset();
  Vfs::forget();
}

std::vector<Machine::HoldOff> Machine::hold_offs() {
  Sqlite db = Sqlite::open(kPath).value();
  Statement rows =
      db.prepare("SELECT user, session, device, address, mark, since FROM hold_offs").value();
  std::vector<HoldOff> all;
  while (rows.step().value()) {
    all.push_back({rows.text(0), rows.text(1), rows.text(2), rows.text(3),
                   static_cast<Mark>(rows.integer(4)), WallTime(Millis(rows.integer(5)))});
  }
  return all;
}

std::vector<Machine::Gone> Machine::gone() {
  Sqlite db = Sqlite::open(kPath).value();
  // A service that is not told its boot has made itself one.
  Statement rows =
      db.prepare(
            "SELECT user, session, reason, by_session, by_device, at, ttl, message, clock_offset, "
            "gone.boot = (SELECT max(id) FROM boots WHERE boot_id = ?) FROM gone ORDER BY id")
          .value();
  rows.bind(1, boot_name());
  std::vector<Gone> all;
  while (rows.step().value()) {
    const Millis at(rows.integer(5));
    all.push_back({rows.text(0), rows.text(1), rows.text(2), rows.text(3), rows.text(4),
                   WallTime(at), Millis(rows.integer(6)), rows.text(7),
                   Instant(at - Millis(rows.integer(8))), rows.integer(9) != 0});
  }
  return all;
}

void Machine::kill() {
  disk.stop();
  if (running_) tear_down();
  disk.restart();
}

void Machine::cut_power(Survival survival) {
  disk.stop();
  if (running_) tear_down();
  disk.restart(survival);
}

void Machine::reboot(Millis off) {
  ++boot_;
  clock.reboot(off);
}

}  // namespace concur::simulation
