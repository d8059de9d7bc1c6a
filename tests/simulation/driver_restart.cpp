// The driver's part about the end of a service and the start of the next: what must be found again.
#include "base/text.hpp"
#include "driver.hpp"
#include "text.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace concur::simulation {

using namespace std::chrono_literals;

void Driver::restart() {
  machine_.disk.mend();
  if (!random_.one_in(2)) {
    machine_.disk.stop();
    return recover();
  }
  note("stopped cleanly");
  ++met_["clean stop"];
  stopped_ = machine_.clock.now();
  if (!machine_.finish()) fail("the stop did not come to its end");
  was_clean_ = true;
  model_.save(started_);
  lies_ = false;
  machine_.disk.set_lying(false);
  start();
}

// After the process died, or the power went.
void Driver::recover() {
  stopped_ = machine_.clock.now();
  if (machine_.disk.was_hit()) trouble_ = stopped_.instant;
  was_clean_ = false;
  forget_recorded();
  if (random_.one_in(3)) {
    note("killed");
    ++met_["kill"];
    machine_.kill();
  } else {
    const auto survival = static_cast<Survival>(random_.below(kSurvivals));
    note(text::format("power cut: {}", word_of(survival)));
    ++met_["power cut"];
    machine_.cut_power(survival);
    if (lies_) {
      ++met_["power cut after lies"];
      // Without an order there is no telling what is there.
      const bool mixed = survival == Survival::kPrefix || survival == Survival::kPages ||
                         survival == Survival::kSectors;
      if (mixed) play_on_ruins();
      // What was told is lost, but what is found was true once.
      lied_ = true;
      trouble_ = stopped_.instant;
      for (auto& [name, recorded] : recorded_) recorded.told = {};
    }
  }
  lies_ = false;
  machine_.disk.set_lying(false);
  start();
}

// Nothing can be said of what is found then, but that it is refused, or else worked with as ever.
// The disk is thrown away afterwards.
void Driver::play_on_ruins() {
  const auto started = machine_.start(policy_);
  note(started ? "started on ruins" : "ruins: " + started.error().message);
  ++met_[started ? "ruins, started" : "ruins, refused"];
  if (started) {
    for (int turns = 0; turns < 20; ++turns) {
      int waiting = 0;
      for (int commands = 0; commands < 3; ++commands) {
        ++waiting;
        machine_.service().submit(any_command(), machine_.clock.now(),
                                  [&](const Result<Answer>& answer) {
                                    --waiting;
                                    if (!answer)
                                      fail("damage was found too late: " + answer.error().message);
                                    check_on_ruins(*answer);
                                  });
        machine_.run_a_little(random_.below(6));
      }
      machine_.run();
      if (waiting != 0) fail("not each was answered once, on ruins");
      machine_.advance(Millis(random_.below(3000)));
    }
    machine_.kill();
  } else if (started.error().kind == ErrorKind::kUnavailable) {
    fail("damage is not told as such: " + started.error().message);
  }
  machine_.disk.replace();
  tokens_.clear();
  model_ = Model();
  model_.policy = policy_;
  recorded_.clear();
}

void Driver::check_on_ruins(const Answer& answer) {
  if (const auto* granted = std::get_if<Granted>(&answer)) {
    // Observed, nobody is kept out; and a reconnect keeps its place, whatever the limit.
    const bool observed = granted->would_deny || !granted->would_evict.empty();
    const bool counts =
        !granted->renewed && !observed && granted->evicted.empty() && !granted->grace_ends_at;
    if (counts && granted->limit != kUnlimited && granted->active > granted->limit) {
      fail("more than the limit, on ruins: " + text_of(answer));
    }
  } else if (const auto* list = std::get_if<UserSessions>(&answer)) {
    std::vector<std::string> names;
    for (const SessionInfo& each : list->sessions) names.push_back(each.session);
    std::ranges::sort(names);
    const bool twice = std::ranges::adjacent_find(names) != names.end();
    if (twice || list->active != names.size()) {
      fail("a session counts twice, on ruins: " + text_of(answer));
    }
  }
}

void Driver::start() {
  rebooted_ = !machine_.tells_boots();
  cut_armed_ = false;
  machine_.clock.tick(250ms);  // a process takes its time to start
  if (step_ > 0 && random_.one_in(4)) {
    reboot();
  } else if (random_.one_in(2)) {
    machine_.clock.tick(Millis(random_.below(20'000)));
  }
  // A new database is made with a journal that goes away: which of its lies came first shows
  // nowhere.
  if (random_.one_in(12) && machine_.disk.exists("sessions.db")) lie();
  for (int tries = 0;; ++tries) {
    if (!lies_ && tries < 3 && random_.one_in(3)) arm();
    const auto started = machine_.start(policy_);
    if (machine_.disk.is_dead()) {
      const auto survival = static_cast<Survival>(random_.below(kSurvivals));
      note(text::format("power cut at the start: {}", word_of(survival)));
      ++met_["power cut at the start"];
      machine_.cut_power(survival);
      cut_armed_ = false;
      continue;
    }
    if (started && *started > 0) fail(text::format("{} rows were refused", *started));
    if (started) break;
    note("cannot start: " + started.error().message);
    ++met_["start failed"];
    // SQLite's check says no more than this of a page that it cannot read, however often.
    const bool unclear = started.error().message.find("ptrmap") != std::string::npos;
    const bool right = started.error().kind == ErrorKind::kUnavailable || unclear;
    if (!right || !machine_.disk.was_hit()) {
      fail("without cause: " + started.error().message);
    }
    machine_.disk.mend();
  }
  machine_.disk.mend();
  if (cut_armed_) machine_.disk.cut_after(1'000'000'000);
  cut_armed_ = false;
  note("started");
  answered_ = events_ = {};
  events_read_ = 1;
  machine_.service().configure({policy_, kMaxHistory});
  check_recovered();
  lied_ = false;
  if (lies_) model_.remember_all();
  started_ = machine_.clock.now().instant;
}

// Everything goes by the wall clock then, which may have been wrong before, or be wrong now. To the
// service it is as if so much time had passed.
void Driver::reboot() {
  const Now before = machine_.clock.now();
  const Millis off(random_.between(1000, 120'000));
  switch (random_.below(6)) {
    case 0:
      machine_.clock.set_wall(Millis(random_.between(-86'400'000, 86'400'000)));
      break;
    case 1:
    case 2:
      machine_.clock.set_wall(Millis(random_.between(-200'000, 200'000)));
      break;
    case 3:
      if (random_.one_in(4)) machine_.clock.set_wall(-before.wall().time_since_epoch());  // 1970
      break;
    default:
      break;
  }
  machine_.reboot(off);
  const Millis by = before.offset() - machine_.clock.now().offset();
  model_.shift(by);
  for (Instant* each : {&stopped_.instant, &started_, &trouble_}) *each += by;
  note(text::format("off for {} ms, by the wall clock {}", off.count(),
                    (machine_.clock.now().wall() - before.wall()).count()));
  rebooted_ = true;
  ++met_["reboot"];
}

}  // namespace concur::simulation
