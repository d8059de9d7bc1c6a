// The driver's part about the end of a service and the start of the next: what must be found again.
#include "base/text.hpp"
#include "driver.hpp"
#include "store/rows.hpp"
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
    const bool counts = !granted->renewed && !observed && granted->evicted.empty();
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

// --- what was found again ---

void Driver::check_recovered() {
  found_.clear();
  for (const std::string& name : kUsers) {
    machine_.service().submit(ListUser{*Id::parse("user", name)}, machine_.clock.now(),
                              [&](const Result<Answer>& answer) {
                                if (!answer) fail("cannot list: " + answer.error().message);
                                found_[name] = std::get<UserSessions>(*answer).sessions;
                              });
  }
  machine_.run();
  found_hold_offs_.clear();
  for (auto& each : machine_.hold_offs()) {
    found_hold_offs_[each.user].push_back(each);
    ++met_[each.mark == Mark::kHeldOff        ? "found held off"
           : each.mark == Mark::kProtected    ? "found protected"
           : each.mark == Mark::kChangedHands ? "found with changed hands"
                                              : "found fought over"];
  }
  found_gone_.clear();
  for (auto& each : machine_.gone()) found_gone_[each.user].push_back(each);
  std::string why;
  for (const Model::State& state : model_.possible()) {
    Model::State found;
    std::string reason;
    if (!matches(state, found, reason)) {
      why += "\n  " + reason;
      continue;
    }
    model_.adopt(std::move(found));
    forget_starts();
    adopt_leases();
    look_at_everything();
    return;
  }
  fail("what is found is nothing that may have been:" + why);
}

// Whether that is what was stored; `found` is then the model's view of it.
bool Driver::matches(const Model::State& state, Model::State& found, std::string& why) {
  found = state;
  for (const std::string& name : kUsers) {
    Model::User& who = found.users[name];
    who.replaced.clear();
    if (!match_sessions(name, who, why) || !match_hold_offs(name, who, why) ||
        !match_gone(name, who, why) || !match_block(name, who, why)) {
      return false;
    }
  }
  return match_leases(found, why) && match_limits(found, why);
}

// Why somebody else ended a session is stored, and goes by the wall clock after a reboot. What is
// over may still be there; after a reboot it may be so again.
bool Driver::match_gone(const std::string& name, Model::User& who, std::string& why) {
  const Now now = machine_.clock.now();
  std::erase_if(who.gone, [](const auto& each) {
    return (each.second.reason == EndReason::kEnded && each.second.message.empty()) ||
           each.second.reason == EndReason::kExpired;
  });
  std::map<std::string, Machine::Gone> rows;
  for (const Machine::Gone& each : found_gone_[name]) rows[each.session] = each;
  const auto by_wall = [&now](WallTime at) {
    return std::min(Instant((at - now.offset()).time_since_epoch()), now.instant);
  };
  for (auto each = who.gone.begin(); each != who.gone.end();) {
    auto& [session, gone] = *each;
    const bool was_over = model_.is_forgotten(gone, stopped_);
    gone.other_boot = gone.other_boot || rebooted_;
    if (gone.other_boot) gone.at = by_wall(gone.wall);
    const auto row = rows.find(session);
    const bool same =
        row != rows.end() && row->second.at == gone.wall &&
        row->second.reason == stored_word_of(gone.reason) && row->second.message == gone.message &&
        row->second.by_session == gone.by.session && row->second.by_device == gone.by.device;
    if (!same && !was_over && !model_.is_forgotten(gone, now)) {
      why = text::format("why {}/{} is gone is lost", name, session);
      return false;
    }
    if (same) {
      gone.id = 0;
      rows.erase(row);
      ++each;
    } else {
      each = who.gone.erase(each);
    }
  }
  for (const auto& [session, row] : rows) {
    Model::Gone gone{row.reason == "evicted" ? EndReason::kEvicted
                     : row.reason == "ended" ? EndReason::kEnded
                                             : EndReason::kPurged,
                     {row.by_session, row.by_device},
                     by_wall(row.at),
                     row.ttl,
                     row.at,
                     true};
    gone.message = row.message;
    if (model_.is_forgotten(gone, now) ||
        std::ranges::count(who.sessions, session, &Model::Session::name) > 0)
      continue;
    if (!rebooted_) {
      why = text::format("nobody knows that {}/{} is gone", name, session);
      return false;
    }
    who.gone[session] = gone;
  }
  return true;
}

// A block that is over stands in the database until the sweeper's change is stored, and holds again
// where a reboot's wall clock says so: the model knows of it for as long.
bool Driver::match_block(const std::string& name, Model::User& who, std::string& why) {
  const Now now = machine_.clock.now();
  std::optional<UserBlock> found;
  machine_.service().submit(
      ShowBlock{*Id::parse("user", name)}, now,
      [&found](const Result<Answer>& answer) { found = std::get<UserBlock>(*answer); });
  if (!who.kept_out) {
    if (found->blocked) why = name + " is kept out, and nobody knows of it";
    return !found->blocked;
  }
  Model::KeptOut& kept_out = *who.kept_out;
  concur::Block& block = kept_out.block;
  const bool was_over = block.is_over(stopped_.instant);
  // A failed commit leaves it to the next service.
  const bool was_dropped = was_over && trouble_ < *block.until() && was_swept(*block.until());
  kept_out.other_boot = kept_out.other_boot || rebooted_;
  if (kept_out.other_boot) {
    block.since =
        std::min(Instant((kept_out.since - now.offset()).time_since_epoch()), now.instant);
  }
  if (!found->blocked) {
    if (block.is_over(now.instant)) return true;
    if (!was_over) why = name + " is kept out no longer";
    who.kept_out.reset();  // it would hold again, were it there
    return was_over;
  }
  if (was_dropped) {
    why = name + " is kept out by a block that was over long before";
    return false;
  }
  const bool same =
      found->since == now.to_wall(block.since) && found->message == block.message &&
      found->until ==
          (block.length ? std::optional(now.to_wall(block.since + *block.length)) : std::nullopt);
  if (!same) why = name + " is kept out by another block";
  return same;
}

bool Driver::match_sessions(const std::string& name, Model::User& who, std::string& why) {
  const Now now = machine_.clock.now();
  std::vector<Model::Session> known = std::move(who.sessions);
  if (!was_clean_) known.insert(known.end(), who.lapsed.begin(), who.lapsed.end());
  who.sessions.clear();
  who.lapsed.clear();
  for (const SessionInfo& info : found_[name]) {
    const auto same = std::ranges::find_if(known, [&](const Model::Session& each) {
      return each.name == info.session && each.details == info.details;
    });
    if (same == known.end()) {
      why = text::format("nobody knows of {}/{}", name, info.session);
      return false;
    }
    Model::Session session = *same;
    const Model::Lease& lease = model_.lease(session.id);
    session.rebooted = session.rebooted || rebooted_;
    // What lies ahead is drawn to the present, at each start anew.
    const bool is_ahead = session.started > now.instant || lease.seen > now.instant ||
                          lease.expires > now.instant + lease.ttl;
    if (session.rebooted && (session.wall_moved || is_ahead)) session.is_loose = true;
    const Instant started((info.started_at - now.offset()).time_since_epoch());
    if (!session.is_loose && started != session.started) {
      why = text::format("{}/{} started at {}, not {}", name, info.session, text_of(started),
                         text_of(session.started));
      return false;
    }
    session.started = started;
    if (started > now.instant) {
      why = text::format("{}/{} started in the time to come", name, info.session);
      return false;
    }
    if (!who.sessions.empty() && who.sessions.back().id >= session.id) {
      why = text::format("{}'s sessions are not in their order", name);
      return false;
    }
    const bool was_over = model_.is_over(session.id, stopped_);
    if (was_over && (was_clean_ || was_swept(lease.expires))) {
      why = text::format("{}/{} had expired before the stop", name, info.session);
      return false;
    }
    known.erase(same);
    who.sessions.push_back(session);
  }
  for (const Model::Session& each : known) {
    if (model_.is_over(each.id, stopped_)) continue;
    why = text::format("{}/{} is lost", name, each.name);
    return false;
  }
  return true;
}

// A hold-off that is over goes some time; what is stored of it after a reboot may revive it, for as
// long as a hold-off is.
bool Driver::match_hold_offs(const std::string& name, Model::User& who, std::string& why) {
  const Now now = machine_.clock.now();
  std::vector<Machine::HoldOff> rows = found_hold_offs_[name];
  std::vector<Model::HoldOff> kept;
  for (Model::HoldOff& each : who.hold_offs) {
    const auto row = std::ranges::find_if(rows, [&each](const Machine::HoldOff& stored) {
      return stored.mark == each.mark && stored.session == each.session &&
             stored.device == each.device && stored.address == each.address &&
             stored.since == each.wall;
    });
    const Instant over = each.since + kDefaultHoldOff;
    if (row == rows.end()) {
      if (over <= stopped_.instant) continue;
      why = text::format("that {}/{} is held off is lost", name, each.session);
      return false;
    }
    // One that seems to be younger may stand before it, and a failed commit leaves it to the next
    // service.
    if (trouble_ < over && was_swept(over + kDefaultHoldOff)) {
      why = text::format("that {}/{} is held off was over long before", name, each.session);
      return false;
    }
    rows.erase(row);
    each.other_boot = each.other_boot || rebooted_;
    if (each.other_boot) {
      each.since = std::min(Instant((each.wall - now.offset()).time_since_epoch()), now.instant);
    }
    kept.push_back(each);
  }
  who.hold_offs = std::move(kept);
  if (rows.empty()) return true;
  why = text::format("nobody knows that {}/{} is held off", name, rows.front().session);
  return false;
}

// What they come to, with nobody's lease over.
bool Driver::match_limits(const Model::State& found, std::string& why) {
  Now stopped = machine_.clock.now();
  stopped.instant = Instant::min();
  Model trial = model_;
  trial.adopt(found);
  std::vector<Command> commands{ListPlans{}, ListLimits{}};
  for (const std::string& name : kUsers) commands.emplace_back(ShowLimit{*Id::parse("user", name)});
  for (const Command& command : commands) {
    machine_.service().submit(command, machine_.clock.now(), [&](const Result<Answer>& answer) {
      const std::string expected = text_of(trial.give(command, stopped).answer);
      if (answer && text_of(*answer) != expected) {
        why = text::format("expected {}, found {}", expected, text_of(*answer));
      }
    });
  }
  return why.empty();
}

bool Driver::match_leases(const Model::State& found, std::string& why) {
  for (const auto& [name, who] : found.users) {
    for (const Model::Session& session : who.sessions) {
      const Model::Lease& told = model_.lease(session.id);
      if (told.is_unsure || lied_) continue;
      const Model::Lease lease = found_lease(name, session.name);
      const char* wrong = wrong_lease(session, told, lease);
      if (wrong == nullptr) continue;
      why = text::format("{}/{}: {}: seen {}, expires {}; told were {}, {}; ttl {}, now {}", name,
                         session.name, wrong, text_of(lease.seen), text_of(lease.expires),
                         text_of(told.seen), text_of(told.expires), told.ttl.count(),
                         text_of(machine_.clock.now().instant));
      return false;
    }
  }
  return true;
}

Model::Lease Driver::found_lease(const std::string& user, const std::string& session) {
  const Millis offset = machine_.clock.now().offset();
  const auto info = std::ranges::find(found_[user], session, &SessionInfo::session);
  Model::Lease lease;
  lease.seen = Instant((info->last_seen_at - offset).time_since_epoch());
  lease.expires = Instant((info->expires_at - offset).time_since_epoch());
  return lease;
}

// Null where nothing is.
const char* Driver::wrong_lease(const Model::Session& session, const Model::Lease& told,
                                const Model::Lease& found) {
  const Instant now = machine_.clock.now().instant;
  const Millis interval = heartbeat_interval(told.ttl);
  if (found.expires < now + interval) return "it has less than a heartbeat interval of grace";
  if (found.expires > now + told.ttl) return "it has more than a lease";
  if (found.seen > now) return "it was seen in the time to come";
  if (session.is_loose) return nullptr;
  if (found.seen > told.seen) return "it was seen when it was not";
  const bool saved = stopped_.instant - trouble_ >= kTroubled;
  const bool old = stopped_.instant - told.seen >= interval;
  if (saved && old && found.seen < told.seen) {
    return "a sign of life older than a third of a lease is lost";
  }
  if (was_clean_ && found.seen != told.seen) return "the clean stop did not store its lease";
  if (found.expires > std::max(told.expires, now + interval)) return "it has more than it was told";
  if (found.expires < std::min(found.seen, now) + told.ttl) return "it has less than it was told";
  return nullptr;
}

// From now on they are as they were found.
void Driver::adopt_leases() {
  const Now now = machine_.clock.now();
  for (const auto& [name, who] : model_.state().users) {
    for (const Model::Session& session : who.sessions) {
      Model::Lease& lease = model_.lease(session.id);
      const Model::Lease found = found_lease(name, session.name);
      lease.seen = found.seen;
      lease.expires = found.expires;
      if (!lease.is_unsure && !lied_) continue;
      const Id user = *Id::parse("user", name);
      const Id id = *Id::parse("session", session.name);
      machine_.service().submit(
          Heartbeat{user, id}, machine_.clock.now(), [&](const Result<Answer>& answer) {
            const auto& granted = std::get<Granted>(*answer);
            const Millis ttl = granted.heartbeat_interval * 3;
            if (found.expires < now.instant + granted.heartbeat_interval ||
                found.expires > now.instant + ttl) {
              fail(text::format("{}/{}: it has less than its grace, or more than its lease", name,
                                session.name));
            }
            lease.seen = now.instant;
            lease.expires = now.instant + ttl;
            lease.ttl = lease.stored = ttl;
            lease.is_unsure = false;
          });
    }
  }
}

}  // namespace concur::simulation
