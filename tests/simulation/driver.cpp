#include "driver.hpp"

#include "base/text.hpp"
#include "text.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace concur::simulation {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kTraced = 80;

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

bool is_other_start(std::optional<EndReason> reason) { return reason == EndReason::kOtherStart; }

Policy first_policy() {
  Policy policy;
  policy.start_rate = 0;  // nothing that the model knows of
  policy.lease = 12s;
  return policy;
}

}  // namespace

Driver::Driver(std::uint64_t seed, bool overlaps)
    : random_(seed), machine_(seed * 2 + 1), policy_(first_policy()) {
  static constexpr std::array<Millis, 4> kOverlaps{0s, 2s, 5s, 10s};
  if (overlaps) policy_.overlap = kOverlaps[random_.below(kOverlaps.size())];
  model_.policy = policy_;
  stopped_ = machine_.clock.now();
  trouble_ = stopped_.instant - kTroubled;
  was_clean_ = true;
  if (random_.one_in(8)) machine_.hide_boots();
  start();
}

void Driver::note(std::string line) {
  trace_.push_back(
      text::format("step {} at {}: {}", step_, text_of(machine_.clock.now().instant), line));
  if (trace_.size() > kTraced) trace_.pop_front();
}

void Driver::fail(const std::string& what) const { throw Mismatch(what); }

void Driver::step() {
  ++step_;
  if (random_.one_in(5)) arm();
  if (random_.one_in(100)) lie();
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

// --- asking ---

void Driver::turn() {
  asked_.clear();
  const std::uint64_t groups = 1 + random_.below(3);
  for (std::uint64_t group = 0; group < groups && !machine_.disk.is_dead(); ++group) {
    for (std::uint64_t left = 1 + random_.below(4); left > 0; --left) {
      Command command = any_command();
      Command to_model = command;
      add_token(command, to_model);
      ask(command, to_model);
    }
    check_events(false);
    if (group + 1 < groups) machine_.run_a_little(random_.below(12));
    check_events(false);
  }
  machine_.run();
  check_all_answered();
}

void Driver::ask(const Command& command, const Command& to_model) {
  const Now now = machine_.clock.now();
  auto asked = std::make_shared<Asked>();
  asked->command = text_of(command);
  asked->given = model_.give(to_model, now);
  asked->is_active = is_active(command);
  asked->user = user_of(command);
  if (const auto* start = std::get_if<Start>(&command)) asked->ttl = start->ttl;
  if (const auto* beat = std::get_if<Heartbeat>(&command)) asked->ttl = beat->ttl;
  if (const auto* granted = std::get_if<Granted>(&asked->given.answer)) {
    const auto id = static_cast<std::int64_t>(granted->start.id);
    asked->start_is_unsure = model_.lease(id).start_is_unsure;
  }
  if (asked->user) recorded_[*asked->user].most += tally_of(asked->given.answer);
  for (const std::string& name : model_.take_refused()) {
    ++recorded_[name].most.denials;
    ++met_["let in for a while, and refused"];
    note("of " + name + " one is refused that was let in for a while");
  }
  asked_.push_back(asked);
  note(asked->command);
  machine_.service().submit(command, machine_.clock.now(),
                            [this, asked](const Result<Answer>& answer) { hear(*asked, answer); });
}

bool Driver::is_active(const Command& command) const {
  return std::visit(
      [this](const auto& each) {
        if constexpr (requires { each.session; }) {
          const auto latest =
              model_.latest(std::string(each.user.text()), std::string(each.session.text()));
          return latest && latest->is_active;
        } else {
          return false;
        }
      },
      command);
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
  if (const auto* granted = std::get_if<Granted>(&answer); granted && granted->grace_ends_at) {
    ++met_[granted->renewed ? "renewed while let in above the limit" : "let in for a while"];
  }
  if (const auto* gone = std::get_if<Gone>(&answer); gone && gone->reason == EndReason::kDenied) {
    ++met_["heartbeat of one that was refused"];
  }
  if (const auto* gone = std::get_if<Gone>(&answer); gone && is_other_start(gone->reason)) {
    ++met_["heartbeat of another start"];
  }
  if (const auto* ended = std::get_if<Ended>(&answer); ended && is_other_start(ended->reason)) {
    ++met_["end of another start"];
  }
  if (expected == actual) {
    if (const auto* granted = std::get_if<Granted>(&answer)) hear_token(asked, *granted);
    return;
  }
  const Now now = machine_.clock.now();
  if (const auto* unknown = std::get_if<Unknown>(&answer)) {
    const auto* model = std::get_if<Gone>(&asked.given.answer);
    const bool gone = model != nullptr && !asked.is_active;
    if (gone && model_.may_forget(unknown->user, unknown->session, now)) return;
  }
  if (const auto* ended = std::get_if<Ended>(&answer); ended && !ended->ended && !ended->reason) {
    const auto* model = std::get_if<Ended>(&asked.given.answer);
    const bool same = model && !model->ended && model->active == ended->active && !asked.is_active;
    if (same && model_.may_forget(ended->user, ended->session, now)) return;
  }
  fail(text::format("{}\n  expected: {}\n  but was:  {}", asked.command, expected, actual));
}

// It may tell of what was changed before it, and that must be durable by then: of its own user, or
// of a plan.
void Driver::check_order(const Asked& asked) {
  for (const auto& each : asked_) {
    if (each.get() == &asked) return;
    if (each->answered || each->given.change == 0) continue;
    const bool is_purge = each->command.starts_with("purge all");  // perhaps of others alone
    if (asked.user && (each->user ? *each->user != *asked.user : is_purge)) continue;
    fail(text::format("answered before it was durable what it may tell of: {}, after {}",
                      asked.command, each->command));
  }
}

// An event comes out when what it tells is durable: then its answer leaves too.
void Driver::check_events(bool all_answered) {
  if (machine_.disk.is_dead()) return;
  const EventLog& log = machine_.events();
  for (; events_read_ < log.next(); ++events_read_) {
    const Event& event = log.at(events_read_);
    events_ += tally_of(event);
    if (event.more && event.more->provisional) {
      note(text::format("event: {}/{} {}", event.user.str(), event.session.str(),
                        event.kind == EventKind::kDenied ? "is refused"
                        : *event.more->provisional       ? "is let in for a while"
                                                         : "stays"));
    }
  }
  Tally answered = answered_;
  answered.observed = 0;
  if (all_answered ? events_ == answered : events_.within(answered)) return;
  fail(text::format("the events tell of {}\n  answered were: {}", text_of(events_),
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
  const bool troubled = !machine_.service().trouble().empty();
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
  for (const Command& command :
       std::vector<Command>{ListAll{}, ListLimits{}, ListPlans{}, ListBlocks{}}) {
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
  query.back = kMaxHistory;
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
    fail(text::format("the report of {} tells of {}\n  at least: {}\n  at most:  {}", name,
                      text_of(told), text_of(least), text_of(most)));
  }
  // What could not be stored comes in later.
  recorded = {told, {}, hit ? recorded.most : told};
}

}  // namespace concur::simulation
