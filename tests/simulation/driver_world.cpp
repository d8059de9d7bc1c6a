// The driver's part that breaks disks, moves clocks and changes settings.
#include "base/text.hpp"
#include "driver.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace concur::simulation {

using namespace std::chrono_literals;

void Driver::arm() {
  if (random_.one_in(3)) {
    const std::uint64_t after = random_.below(30);
    note(text::format("the power goes after {} operations", after));
    machine_.disk.cut_after(after);
    cut_armed_ = true;
    return;
  }
  static const std::vector<std::uint8_t> kKinds{bit_of(Operation::kWrite),
                                                bit_of(Operation::kSync),
                                                bit_of(Operation::kRead),
                                                bit_of(Operation::kOpen),
                                                bit_of(Operation::kTruncate),
                                                bit_of(Operation::kSize),
                                                0xFF};
  Fault fault;
  fault.kinds = kKinds[random_.below(kKinds.size())];
  fault.after = random_.below(fault.kinds == 0xFF ? 30 : 8);
  fault.times = random_.one_in(3) ? 1'000'000 : 1 + random_.below(3);
  if (fault.kinds == bit_of(Operation::kWrite) && random_.one_in(2)) fault.outcome = Outcome::kFull;
  fault.torn = random_.one_in(2);
  fault.forgets = random_.one_in(2);
  note(text::format("operations of kinds {:#x} fail after {}, {} times{}{}{}", fault.kinds,
                    fault.after, fault.times, fault.outcome == Outcome::kFull ? ", full" : "",
                    fault.torn ? ", torn" : "", fault.forgets ? ", forgets" : ""));
  machine_.disk.break_with(fault);
}

// Until the power goes, or the process ends before that.
void Driver::lie() {
  if (lies_) return;
  note("the disk lies from now on");
  lies_ = true;
  machine_.disk.set_lying(true);
  model_.remember_all();
}

void Driver::pass_time() {
  asked_.clear();
  const std::uint64_t how = random_.below(400);
  if (how < 2) {
    note("an hour passes");
    machine_.advance(1h + 5s);
    // Nobody but the sweeper came by.
    if (random_.one_in(2)) machine_.disk.stop();
  } else if (how < 20) {
    const Millis by = Millis(random_.between(1000, random_.one_in(2) ? 10'000 : 7'200'000));
    note(text::format("suspended for {} ms", by.count()));
    machine_.clock.sleep(by);
    model_.wake(by, machine_.clock.now());
    trouble_ = machine_.clock.now().instant;  // nothing was saved meanwhile
    ++met_["suspend"];
    ask(ListUser{user()});
    machine_.run();
    machine_.advance(2s);
  } else if (how < 40) {
    const Millis by(random_.between(-86'400'000, 86'400'000));
    note(text::format("the wall clock is set by {} ms", by.count()));
    machine_.clock.set_wall(by);
    model_.set_wall();
    ++met_["wall clock set"];
  } else if (how < 140) {
    wait_for_lease();
  } else if (how < 200) {
    wait_for_hold_off();
  } else if (how < 260) {
    wait_for_overlap();
  } else {
    machine_.advance(Millis(random_.below(random_.one_in(3) ? 12'000 : 1'500)));
  }
  check_all_answered();
}

// To the very millisecond when somebody's lease ends, or one beside it.
void Driver::wait_for_lease() {
  const Now now = machine_.clock.now();
  Instant next = Instant::max();
  for (const auto& [name, who] : model_.state().users) {
    for (const auto& each : who.sessions) {
      const Instant expires = model_.lease(each.id).expires;
      if (expires > now.instant) next = std::min(next, expires);
    }
  }
  const Millis by = next == Instant::max() ? 0ms : Millis(next - now.instant);
  if (by <= 40s) machine_.advance(std::max<Millis>(0ms, by + Millis(random_.between(-1, 1))));
}

// The same for a hold-off: whoever was evicted tries to evict.
void Driver::wait_for_hold_off() {
  const Id who = user();
  const auto found = model_.state().users.find(std::string(who.text()));
  if (found == model_.state().users.end()) return;
  const Now now = machine_.clock.now();
  for (const Model::HoldOff& each : found->second.hold_offs) {
    const Millis left = each.since + kDefaultHoldOff - now.instant;
    if (left <= 0ms || left > 40s) continue;
    const std::string session = each.session;
    machine_.advance(std::max<Millis>(0ms, left + Millis(random_.between(-1, 1))));
    if (machine_.disk.is_dead()) return;
    Start back{who, *Id::parse("session", session)};
    back.limit = 1;
    back.on_limit = random_.one_in(2) ? OnLimit::kEvictOldest : OnLimit::kEvictNewest;
    back.details.device = each.device;
    back.details.ip = each.address;
    ask(back);
    machine_.run();
    ++met_["end of a hold-off"];
    return;
  }
}

// The same for the time for which somebody is let in above the limit: whoever looks then, or just
// before.
void Driver::wait_for_overlap() {
  const Now now = machine_.clock.now();
  for (const auto& [name, who] : model_.state().users) {
    const Model::Session* session = Model::overlapping(who);
    if (session == nullptr) continue;
    const Millis left = Model::overlap_end(*session) - now.instant;
    if (left < 0ms || left > 40s) continue;
    const Id user = *Id::parse("user", name);
    const Id id = *Id::parse("session", session->name);
    machine_.advance(std::max<Millis>(0ms, left + Millis(random_.between(-1, 1))));
    if (machine_.disk.is_dead()) return;
    if (random_.one_in(2)) {
      ask(Heartbeat{user, id});
    } else {
      ask(ListUser{user});
    }
    machine_.run();
    ++met_["end of an overlap"];
    return;
  }
}

void Driver::change_policy() {
  if (model_.has_overlaps()) return;  // as for plans
  policy_.limit = static_cast<std::uint32_t>(random_.below(5));
  policy_.lease = random_.one_in(2) ? 12s : 6s;
  policy_.on_limit = any_on_limit();
  policy_.mode = random_.one_in(4) ? Mode::kObserve : Mode::kEnforce;
  note(text::format("policy: limit {}, {}", policy_.limit, concur::word_of(policy_.on_limit)));
  model_.policy = policy_;
  machine_.service().configure({policy_, kMaxHistory});
}

}  // namespace concur::simulation
