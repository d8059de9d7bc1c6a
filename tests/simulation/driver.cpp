#include "driver.hpp"

#include "text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace concur::simulation {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kTraced = 80;
constexpr Millis kTroubled = 15s;  // for so long after commits failed a lease may not be saved yet

const std::vector<std::string> kUsers{"u0", "u1", "u2", "u3", "u4"};
const std::vector<std::string> kSessions{"s0", "s1", "s2", "s3", "s4", "s5", "s6"};
const std::vector<std::string> kPlans{"p0", "p1", "p2"};

std::optional<std::string> user_of(const Command& command) {
  return std::visit(
      [](const auto& each) -> std::optional<std::string> {
        if constexpr (requires { each.user; }) {
          const std::optional<Id> user = each.user;
          if (user) return std::string(user->text());
        }
        return std::nullopt;
      },
      command);
}

std::string at(Instant instant) { return std::to_string(instant.time_since_epoch().count()); }

const char* word_of(Survival survival) {
  switch (survival) {
    case Survival::kNothing:
      return "nothing survives";
    case Survival::kEverything:
      return "everything survives";
    case Survival::kPrefix:
      return "prefixes survive";
    case Survival::kPages:
      return "some writes survive";
    case Survival::kSectors:
      return "some sectors survive";
  }
  return "";
}

Policy first_policy() {
  Policy policy;
  policy.start_rate = 0;  // nothing that the model knows of
  policy.lease = 12s;
  return policy;
}

}  // namespace

Driver::Driver(std::uint64_t seed)
    : random_(seed), machine_(seed * 2 + 1), policy_(first_policy()) {
  model_.policy = policy_;
  stopped_ = machine_.clock.now();
  trouble_ = stopped_.instant - kTroubled;
  was_clean_ = true;
  start();
}

void Driver::note(std::string line) {
  trace_.push_back(fmt::format("step {} at {}: {}", step_, at(machine_.clock.now().instant), line));
  if (trace_.size() > kTraced) trace_.pop_front();
}

void Driver::fail(const std::string& what) const { throw Mismatch(what); }

void Driver::step() {
  ++step_;
  if (random_.one_in(5)) arm();
  turn();
  if (machine_.disk.is_dead()) return recover();
  if (random_.one_in(3)) pass_time();
  if (machine_.disk.is_dead()) return recover();
  if (random_.one_in(40)) change_policy();
  if (cut_armed_) {
    note("the cut comes now");
    machine_.disk.stop();
    return recover();
  }
  if (random_.one_in(2)) machine_.disk.mend();
  if (random_.one_in(4)) look_at_everything();
  if (machine_.disk.is_dead()) return recover();
  if (random_.one_in(60)) restart();
}

// --- commands ---

Id Driver::user() { return *Id::parse("user", kUsers[random_.below(kUsers.size())]); }
Id Driver::session() { return *Id::parse("session", kSessions[random_.below(kSessions.size())]); }

Start Driver::any_start() {
  static const std::vector<Millis> kTtls{3s, 9s, 30s, 3600s};
  Start start{user(), session()};
  if (random_.one_in(5)) start.ttl = kTtls[random_.below(kTtls.size())];
  if (random_.one_in(8)) start.limit = static_cast<std::uint32_t>(random_.below(5));
  if (random_.one_in(3)) start.details.device = fmt::format("d{}", random_.below(3));
  if (random_.one_in(8)) start.details.ip = "192.0.2.1";
  if (random_.one_in(6)) start.details.content = fmt::format("c{}", random_.below(3));
  if (random_.one_in(10)) start.details.meta = fmt::format(R"({{"n":{}}})", random_.below(3));
  if (random_.one_in(5)) {
    start.on_limit = random_.one_in(2) ? OnLimit::kDeny : OnLimit::kEvictOldest;
  }
  if (random_.one_in(6)) start.replace = session();
  start.refuse_repeat_above_limit = random_.one_in(10);
  return start;
}

Command Driver::any_operator_command() {
  const Id plan = *Id::parse("plan", kPlans[random_.below(kPlans.size())]);
  const auto limit = static_cast<std::uint32_t>(random_.below(5));
  const auto on_limit = random_.one_in(2) ? OnLimit::kDeny : OnLimit::kEvictOldest;
  switch (random_.below(7)) {
    case 0:
    case 1: {
      SetLimit set{user()};
      if (random_.one_in(2)) {
        set.limit.emplace();
        if (random_.one_in(2)) *set.limit = limit;
      }
      if (random_.one_in(2)) {
        set.plan.emplace();
        if (random_.one_in(2)) *set.plan = plan;
      }
      if (random_.one_in(3)) {
        set.on_limit.emplace();
        if (random_.one_in(2)) *set.on_limit = on_limit;
      }
      return set;
    }
    case 2: {
      SetPlan set{plan};
      if (!random_.one_in(4)) set.limit = limit;
      if (random_.one_in(3)) {
        set.on_limit.emplace();
        if (random_.one_in(2)) *set.on_limit = on_limit;
      }
      return set;
    }
    case 3:
      return RemovePlan{plan, random_.one_in(2)};
    case 4:
      return ShowPlan{plan};
    case 5: {
      Purge purge;
      if (!random_.one_in(4)) purge.user = user();
      if (random_.one_in(2)) purge.idle = Millis(random_.below(15'000));
      purge.dry_run = random_.one_in(3);
      return purge;
    }
    default:
      return ShowLimit{user()};
  }
}

Command Driver::any_command() {
  const std::uint64_t which = random_.below(20);
  if (which < 9) return any_start();
  if (which < 14) return Heartbeat{user(), session()};
  if (which < 17) return End{user(), session()};
  if (which < 18) return ListUser{user()};
  return any_operator_command();
}

// --- asking ---

void Driver::turn() {
  asked_.clear();
  const std::uint64_t groups = 1 + random_.below(3);
  for (std::uint64_t group = 0; group < groups && !machine_.disk.is_dead(); ++group) {
    for (std::uint64_t left = 1 + random_.below(4); left > 0; --left) ask(any_command());
    check_events(false);
    if (group + 1 < groups) machine_.run_a_little(random_.below(12));
    check_events(false);
  }
  machine_.run();
  check_all_answered();
}

void Driver::ask(const Command& command) {
  const Now now = machine_.clock.now();
  auto asked = std::make_shared<Asked>();
  asked->command = text_of(command);
  asked->given = model_.give(command, now);
  asked->user = user_of(command);
  if (const auto* start = std::get_if<Start>(&command)) asked->ttl = start->ttl;
  if (asked->user) recorded_[*asked->user].most += tally_of(asked->given.answer);
  asked_.push_back(asked);
  note(asked->command);
  machine_.service().submit(command,
                            [this, asked](const Result<Answer>& answer) { hear(*asked, answer); });
}

void Driver::hear(Asked& asked, const Result<Answer>& answer) {
  if (machine_.disk.is_dead()) return;  // so is the daemon: nobody hears it
  if (asked.answered) fail("answered twice: " + asked.command);
  check_order(asked);
  asked.answered = true;
  if (!answer) {
    ++met_["503"];
    note(asked.command + " -> " + answer.error().message);
    if (answer.error().kind != ErrorKind::kUnavailable || !machine_.disk.was_hit()) {
      fail("without cause: " + asked.command + " -> " + answer.error().message);
    }
    model_.undo();
    return;
  }
  compare(asked, *answer);
  answered_ += tally_of(*answer);
  if (asked.user) recorded_[*asked.user].answered += tally_of(*answer);
  if (asked.given.relet != 0) model_.settle_lease(asked.given.relet, *asked.ttl);
  // What is stored is so in order.
  for (const auto& each : asked_) {
    if (each->given.change == 0) continue;
    if (!each->answered) break;
    model_.confirm(each->given.change);
  }
}

void Driver::compare(Asked& asked, const Answer& answer) {
  const std::string expected = text_of(asked.given.answer);
  const std::string actual = text_of(answer);
  ++met_[actual.substr(0, actual.find(' '))];
  if (const auto* granted = std::get_if<Granted>(&answer); granted && !granted->evicted.empty()) {
    ++met_["evicted"];
  }
  if (const auto* denied = std::get_if<Denied>(&answer); denied && denied->hold_off) {
    ++met_["held off"];
  }
  if (expected == actual) return;
  const Now now = machine_.clock.now();
  if (const auto* unknown = std::get_if<Unknown>(&answer)) {
    const bool gone = std::holds_alternative<Gone>(asked.given.answer);
    if (gone && model_.may_forget(unknown->user, unknown->session, now)) return;
  }
  if (const auto* ended = std::get_if<Ended>(&answer); ended && !ended->ended && !ended->reason) {
    const auto* model = std::get_if<Ended>(&asked.given.answer);
    const bool same = model && !model->ended && model->active == ended->active;
    if (same && model_.may_forget(ended->user, ended->session, now)) return;
  }
  fail(fmt::format("{}\n  expected: {}\n  but was:  {}", asked.command, expected, actual));
}

// It may tell of what was changed before it, and that must be durable by then: of its own user, or
// of a plan.
void Driver::check_order(const Asked& asked) {
  for (const auto& each : asked_) {
    if (each.get() == &asked) return;
    if (each->answered || each->given.change == 0) continue;
    const bool is_purge = each->command.starts_with("purge all");  // perhaps of others alone
    if (asked.user && (each->user ? *each->user != *asked.user : is_purge)) continue;
    fail(fmt::format("answered before it was durable what it may tell of: {}, after {}",
                     asked.command, each->command));
  }
}

// An event comes out when what it tells is durable: then its answer leaves too.
void Driver::check_events(bool all_answered) {
  if (machine_.disk.is_dead()) return;
  const EventLog& log = machine_.service().events();
  for (; events_read_ < log.next(); ++events_read_) events_ += tally_of(log.at(events_read_));
  Tally answered = answered_;
  answered.observed = 0;
  if (all_answered ? events_ == answered : events_.within(answered)) return;
  fail(fmt::format("the events tell of {}\n  answered were: {}", text_of(events_),
                   text_of(answered)));
}

void Driver::check_all_answered() {
  if (machine_.disk.is_dead()) return;
  for (const auto& each : asked_) {
    if (!each->answered) fail("never answered: " + each->command);
  }
  check_events(true);
  note_trouble();
}

void Driver::note_trouble() {
  if (machine_.disk.is_dead()) return;
  const bool troubled = !machine_.service().status().trouble.empty();
  if (troubled || machine_.disk.was_hit()) {
    trouble_ = machine_.clock.now().instant;
    forget_recorded();
  }
  if (!troubled) model_.overwritten();
}

// Whether the sweeper must have come by before the stop, and stored it, since that was over.
bool Driver::was_swept(Instant over) const {
  return std::max({over, started_, trouble_}) + kTroubled <= stopped_.instant;
}

// What no report told of yet may be lost.
void Driver::forget_recorded() {
  for (auto& [name, recorded] : recorded_) recorded.answered = {};
}

void Driver::look_at_everything() {
  asked_.clear();
  for (const std::string& name : kUsers) {
    ask(ListUser{*Id::parse("user", name)});
    ask(ShowLimit{*Id::parse("user", name)});
  }
  for (const Command& command : std::vector<Command>{ListAll{}, ListLimits{}, ListPlans{}}) {
    ask(command);
  }
  machine_.run();
  check_all_answered();
  if (random_.one_in(8)) read_report();
}

void Driver::read_report() {
  if (machine_.disk.is_dead()) return;
  const std::string name(user().text());
  note("report of " + name);
  std::optional<Result<Report>> report;
  ReportQuery query;
  query.back = kLongestHistory;
  query.user = name;
  machine_.service().report(query, [&report](Result<Report> read) { report = std::move(read); });
  machine_.run();
  if (machine_.disk.is_dead()) return;
  if (!report) fail("no report came");
  const bool hit = machine_.disk.was_hit();
  note_trouble();
  ++met_["report"];
  if (!*report) {
    if (!hit) fail("no report: " + report->error().message);
    return;
  }
  Tally told;
  for (const UsageReport& hour : (*report)->hours) {
    told.starts += hour.starts;
    told.denials += hour.denials;
  }
  Recorded& recorded = recorded_[name];
  Tally least = recorded.told;
  least += recorded.answered;
  Tally most = recorded.most;
  for (Tally* each : {&least, &most}) {
    each->denials += std::exchange(each->observed, 0);
    each->ends = each->evictions = each->purges = 0;
  }
  if (!least.within(told) || !told.within(most)) {
    fail(fmt::format("the report of {} tells of {}\n  at least: {}\n  at most:  {}", name,
                     text_of(told), text_of(least), text_of(most)));
  }
  // What could not be stored comes in later.
  recorded = {told, {}, hit ? recorded.most : told};
}

// --- what happens to it ---

void Driver::arm() {
  if (random_.one_in(3)) {
    const std::uint64_t after = random_.below(30);
    note(fmt::format("the power goes after {} operations", after));
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
  note(fmt::format("operations of kinds {:#x} fail after {}, {} times{}{}{}", fault.kinds,
                   fault.after, fault.times, fault.outcome == Outcome::kFull ? ", full" : "",
                   fault.torn ? ", torn" : "", fault.forgets ? ", forgets" : ""));
  machine_.disk.break_with(fault);
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
    note(fmt::format("suspended for {} ms", by.count()));
    machine_.clock.sleep(by);
    model_.wake(by, machine_.clock.now());
    trouble_ = machine_.clock.now().instant;  // nothing was saved meanwhile
    ++met_["suspend"];
    ask(ListUser{user()});
    machine_.run();
    machine_.advance(2s);
  } else if (how < 40) {
    const Millis by(random_.between(-86'400'000, 86'400'000));
    note(fmt::format("the wall clock is set by {} ms", by.count()));
    machine_.clock.set_wall(by);
    ++met_["wall clock set"];
  } else if (how < 140) {
    wait_for_lease();
  } else if (how < 170) {
    wait_for_hold_off();
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
    const Millis left = each.since + kHoldOff - now.instant;
    if (left <= 0ms || left > 40s) continue;
    const std::string session = each.session;
    machine_.advance(std::max<Millis>(0ms, left + Millis(random_.between(-1, 1))));
    if (machine_.disk.is_dead()) return;
    Start back{who, *Id::parse("session", session)};
    back.limit = 1;
    back.on_limit = OnLimit::kEvictOldest;
    ask(back);
    machine_.run();
    ++met_["end of a hold-off"];
    return;
  }
}

void Driver::change_policy() {
  policy_.limit = static_cast<std::uint32_t>(random_.below(5));
  policy_.lease = random_.one_in(2) ? 12s : 6s;
  policy_.on_limit = random_.one_in(2) ? OnLimit::kDeny : OnLimit::kEvictOldest;
  policy_.mode = random_.one_in(4) ? Mode::kObserve : Mode::kEnforce;
  note(fmt::format("policy: limit {}, {}", policy_.limit, concur::word_of(policy_.on_limit)));
  model_.policy = policy_;
  machine_.service().set_policy(policy_);
}

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
    note(fmt::format("power cut: {}", word_of(survival)));
    ++met_["power cut"];
    machine_.cut_power(survival);
  }
  start();
}

void Driver::start() {
  rebooted_ = false;
  cut_armed_ = false;
  // While commits fail it is open which hold-offs are swept away yet, and a reboot may revive them.
  const bool calm = stopped_.instant - trouble_ >= kTroubled;
  constexpr bool kReboots = false;  // the model of hold-offs across them is not exact yet
  if (kReboots && step_ > 0 && calm && random_.one_in(4)) {
    const Millis off(random_.between(1000, 30'000));
    if (random_.one_in(2)) machine_.clock.set_wall(Millis(random_.between(-100'000, 100'000)));
    note(fmt::format("off for {} ms", off.count()));
    machine_.reboot(off);
    trouble_ = machine_.clock.now().instant - kTroubled;
    rebooted_ = true;
    ++met_["reboot"];
  } else if (random_.one_in(2)) {
    machine_.clock.tick(Millis(random_.below(20'000)));
  }
  for (int tries = 0;; ++tries) {
    if (tries < 3 && random_.one_in(3)) arm();
    const auto started = machine_.start(policy_);
    if (machine_.disk.is_dead()) {
      const auto survival = static_cast<Survival>(random_.below(kSurvivals));
      note(fmt::format("power cut at the start: {}", word_of(survival)));
      ++met_["power cut at the start"];
      machine_.cut_power(survival);
      cut_armed_ = false;
      continue;
    }
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
  machine_.service().set_history(kLongestHistory);
  check_recovered();
  started_ = machine_.clock.now().instant;
}

// --- what was found again ---

void Driver::check_recovered() {
  found_.clear();
  for (const std::string& name : kUsers) {
    machine_.service().submit(ListUser{*Id::parse("user", name)},
                              [&](const Result<Answer>& answer) {
                                if (!answer) fail("cannot list: " + answer.error().message);
                                found_[name] = std::get<UserSessions>(*answer).sessions;
                              });
  }
  machine_.run();
  std::string why;
  for (const Model::State& state : model_.possible()) {
    Model::State found;
    std::string reason;
    if (!matches(state, found, reason)) {
      why += "\n  " + reason;
      continue;
    }
    check_leases(found);
    model_.adopt(std::move(found));
    look_at_everything();
    return;
  }
  fail("what is found is nothing that may have been:" + why);
}

// Whether that is what was stored, but for leases; `found` is then the model's view of it.
bool Driver::matches(const Model::State& state, Model::State& found, std::string& why) {
  const Now now = machine_.clock.now();
  found = state;
  for (const std::string& name : kUsers) {
    Model::User& who = found.users[name];
    who.gone.clear();
    who.lapsed.clear();
    // What is over was swept away, and no clock that goes back revives it.
    std::erase_if(who.hold_offs, [this](const Model::HoldOff& each) {
      return each.since + kHoldOff <= stopped_.instant;
    });
    for (auto& each : who.hold_offs) {
      each.other_boot = each.other_boot || rebooted_;
      if (!each.other_boot) continue;
      each.since = std::min(Instant((each.wall - now.offset()).time_since_epoch()), now.instant);
    }
    std::vector<Model::Session> known = who.sessions;
    const auto before = state.users.find(name);
    if (before != state.users.end() && !was_clean_) {
      known.insert(known.end(), before->second.lapsed.begin(), before->second.lapsed.end());
    }
    who.sessions.clear();
    for (const SessionInfo& info : found_[name]) {
      const auto same = std::ranges::find_if(known, [&](const Model::Session& each) {
        return each.name == info.session && each.details == info.details;
      });
      if (same == known.end()) {
        why = fmt::format("nobody knows of {}/{}", name, info.session);
        return false;
      }
      Model::Session session = *same;
      const Instant started((info.started_at - now.offset()).time_since_epoch());
      session.other_boot = session.other_boot || rebooted_;
      if (!session.other_boot && started != session.started) {
        why = fmt::format("{}/{} started at {}, not {}", name, info.session, at(started),
                          at(session.started));
        return false;
      }
      session.started = started;
      if (!who.sessions.empty() && who.sessions.back().id >= session.id) {
        why = fmt::format("{}'s sessions are not in their order", name);
        return false;
      }
      if (model_.is_over(session.id, stopped_) &&
          (was_clean_ || was_swept(model_.lease(session.id).expires))) {
        why = fmt::format("{}/{} had expired before the stop", name, info.session);
        return false;
      }
      known.erase(same);
      who.sessions.push_back(session);
    }
    for (const Model::Session& each : known) {
      if (model_.is_over(each.id, stopped_)) continue;
      why = fmt::format("{}/{} is lost", name, each.name);
      return false;
    }
  }
  // Limits and plans: what they come to, with nobody's lease over.
  Now stopped = now;
  stopped.instant = Instant::min();
  Model trial = model_;
  trial.adopt(found);
  std::vector<Command> commands{ListPlans{}, ListLimits{}};
  for (const std::string& name : kUsers) commands.emplace_back(ShowLimit{*Id::parse("user", name)});
  for (const Command& command : commands) {
    machine_.service().submit(command, [&](const Result<Answer>& answer) {
      const std::string expected = text_of(trial.give(command, stopped).answer);
      if (answer && text_of(*answer) != expected) {
        why = fmt::format("expected {}, found {}", expected, text_of(*answer));
      }
    });
  }
  return why.empty();
}

void Driver::check_leases(const Model::State& found) {
  const Now now = machine_.clock.now();
  const bool saved = stopped_.instant - trouble_ >= kTroubled;
  for (const auto& [name, who] : found.users) {
    for (const Model::Session& session : who.sessions) {
      const auto info = std::ranges::find(found_[name], session.name, &SessionInfo::session);
      Model::Lease& lease = model_.lease(session.id);
      const Instant seen((info->last_seen_at - now.offset()).time_since_epoch());
      const Instant expires((info->expires_at - now.offset()).time_since_epoch());
      const auto wrong = [&](const char* what) {
        fail(fmt::format("{}/{}: {}: seen {}, expires {}; told were {}, {}; ttl {}, now {}", name,
                         session.name, what, at(seen), at(expires), at(lease.seen),
                         at(lease.expires), lease.ttl.count(), at(now.instant)));
      };
      if (!lease.is_unsure) {
        const Instant grace = now.instant + heartbeat_interval(lease.ttl);
        if (expires < grace) wrong("it has less than a heartbeat interval of grace");
        if (expires > now.instant + lease.ttl) wrong("it has more than a lease");
        if (!session.other_boot) {
          if (seen > lease.seen) wrong("it was seen when it was not");
          const bool old = stopped_.instant - lease.seen >= heartbeat_interval(lease.ttl);
          if (saved && old && seen < lease.seen) {
            wrong("a sign of life older than a third of a lease is lost");
          }
          if (was_clean_ && seen != lease.seen) wrong("the clean stop did not store its lease");
          if (expires > std::max(lease.expires, grace)) wrong("it has more than it was told");
          if (expires < std::min(seen + lease.ttl, now.instant + lease.ttl)) {
            wrong("it has less than it was told");
          }
        }
      }
      lease.seen = seen;
      lease.expires = expires;
      if (!lease.is_unsure) continue;
      const Id user = *Id::parse("user", name);
      const Id id = *Id::parse("session", session.name);
      machine_.service().submit(Heartbeat{user, id}, [&](const Result<Answer>& answer) {
        const auto& granted = std::get<Granted>(*answer);
        const Millis ttl = granted.heartbeat_interval * 3;
        lease = {now.instant, now.instant + ttl, ttl, ttl};
      });
    }
  }
}

}  // namespace concur::simulation
