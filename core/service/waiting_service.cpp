#include "service/waiting_service.hpp"

#include <algorithm>
#include <memory>
#include <type_traits>
#include <utility>
#include <variant>

namespace concur {

namespace {

// Of the clock that the timer runs on and the one that leases run on, the one may stand still while
// the other goes on: it is looked again after that long at most.
constexpr Millis kMaxSleep{1000};
// In a fleet: the least time between two rounds that nothing but the clock asks for.
constexpr Millis kMinPause{100};
// After that long each is asked again in any case: a slot that another box frees is to be taken
// within a second; a commit that fails makes room, and nobody says so; or there was no answer.
constexpr Millis kAskAgainShared{600};
constexpr Millis kSharedJitter{300};
constexpr Millis kAskAgain{1000};
static_assert(kAskAgain <= kMinLease, "whoever gets a shorter lease meanwhile is seen in time");

// Whom a command is about; empty for no one user.
std::string_view user_of(const Command& command) {
  return std::visit(
      [](const auto& each) -> std::string_view {
        using Kind = std::decay_t<decltype(each)>;
        if constexpr (std::is_same_v<Kind, Purge>) {
          return each.user ? each.user->text() : std::string_view();
        } else if constexpr (requires { each.user; }) {
          return each.user.text();
        } else {
          return {};
        }
      },
      command);
}

// Whether it may leave fewer sessions active, or admit more of them.
bool may_make_room(const Command& command) {
  return std::holds_alternative<End>(command) || std::holds_alternative<Purge>(command) ||
         std::holds_alternative<SetLimit>(command);
}

// Nothing was decided: it may be asked again.
bool is_no_answer(const Result<Answer>& answer) {
  if (!answer) return true;
  const auto* refused = std::get_if<Refused>(&*answer);
  return refused != nullptr && refused->why.kind == ErrorKind::kUnavailable;
}

// Until a lease runs out, or whoever was evicted may evict again.
Millis wait_for_room(const Denied& denied) {
  return std::min<Millis>(denied.retry_after.value_or(Millis::max()),
                          denied.hold_off.value_or(Millis::max()));
}

// Not for what nobody's going mends, nor where an active session would become another one.
bool may_wait(const Denied& denied) {
  const bool renews = denied.attempted <= denied.active;
  return denied.retry_after && !renews;
}

}  // namespace

WaitingService::WaitingService(Service& service, EventLog& events, Turn& turn, const Clock& clock,
                               Scope scope)
    : service_(service),
      events_(events),
      turn_(turn),
      clock_(clock),
      scope_(scope),
      timer_(turn.loop()) {}

// --- what is asked ---

void WaitingService::submit(const Command& command, const Now& now, Reply reply) {
  if (queues_.empty()) return service_.submit(command, now, std::move(reply));
  submit_beside(command, now, std::move(reply));
}

// Somebody waits.
void WaitingService::submit_beside(const Command& command, const Now& now, Reply reply) {
  const std::string_view user = user_of(command);
  if (queues_.find(user) == queues_.end()) {
    return service_.submit(command, now, std::move(reply));
  }
  if (std::holds_alternative<Start>(command)) ask_all(user, now);
  if (const auto* end = std::get_if<End>(&command)) end_waits_of(*end, now);
  service_.submit(command, now, std::move(reply));
  // At once, so that whoever gets the room shares the commit that makes it.
  if (may_make_room(command)) ask_all(user, now);
}

Service::Place WaitingService::submit_waiting(const Start& start, Millis wait, const Now& now,
                                              Reply reply) {
  const std::string_view user = start.user.text();
  ask_all(user, now);
  if (wait <= Millis(0) || draining_) {
    service_.submit(start, now, std::move(reply));
    return kNoPlace;
  }
  if (queues_.empty()) {
    events_.set_listener([this](const Event& event) { on_event(event); });
  }
  const Place place = ++last_place_;
  const auto [waiter, is_new] = waiters_.try_emplace(
      place, Waiter{KeptCommand(start), std::move(reply), now.instant, now.instant + wait});
  queues_[std::string(user)].places.push_back(place);
  ask(waiter, now);
  return waiters_.contains(place) ? place : kNoPlace;
}

void WaitingService::leave(Place place) {
  const auto found = waiters_.find(place);
  if (found == waiters_.end()) return;
  Waiter& waiter = found->second;
  if (waiter.last_asked) return;
  waiter.gone = true;
  // What is being decided may let it in.
  if (waiter.asked) return;
  give(found, Answer(std::move(waiter.denied)), clock_.now());
}

void WaitingService::configure(const ServiceConfig& config) {
  service_.configure(config);
  for (auto& [user, queue] : queues_) queue.changed = true;
  ask_changed();
}

ServiceStatus WaitingService::status() const {
  ServiceStatus status = service_.status();
  status.waiting = waiting_;
  status.waits = counts_;
  return status;
}

void WaitingService::drain() {
  draining_ = true;
  const Now now = clock_.now();
  std::vector<Place> places;
  for (const auto& [place, waiter] : waiters_) places.push_back(place);
  for (const Place place : places) end_wait(place, now);
}

// --- asking again ---

// In the order in which they came; each may be let in, so that the next one finds what is left.
void WaitingService::ask_all(std::string_view user, const Now& now) {
  const auto found = queues_.find(user);
  if (found == queues_.end()) return;
  found->second.due = Instant::max();
  found->second.changed = false;
  const std::vector<Place> places = found->second.places;
  for (const Place place : places) {
    if (const auto waiter = waiters_.find(place); waiter != waiters_.end()) ask(waiter, now);
  }
}

void WaitingService::ask(Waiters::iterator found, const Now& now) {
  Waiter& waiter = found->second;
  if (waiter.asked) {
    waiter.asks_again = true;
    return;
  }
  Start start = waiter.command();
  start.tries = !waiter.over;
  waiter.waited = now.instant - waiter.since;
  if (waiter.waits) start.waited = waiter.waited;
  waiter.asked = true;
  waiter.last_asked = waiter.over;
  service_.submit(start, now, [this, place = found->first](Result<Answer>&& answer) {
    on_answer(place, std::move(answer));
  });
}

void WaitingService::end_wait(Place place, const Now& now) {
  const auto found = waiters_.find(place);
  if (found == waiters_.end() || found->second.over) return;
  found->second.over = true;
  ask(found, now);
}

// Nobody wants to watch any more what is ended before it began.
void WaitingService::end_waits_of(const End& end, const Now& now) {
  const auto found = queues_.find(end.user.text());
  if (found == queues_.end() || end.start) return;
  const std::vector<Place> places = found->second.places;
  for (const Place place : places) {
    const auto waiter = waiters_.find(place);
    if (waiter == waiters_.end()) continue;
    if (waiter->second.command().session.text() == end.session.text()) end_wait(place, now);
  }
}

// --- what comes of it ---

void WaitingService::on_answer(Place place, Result<Answer>&& answer) {
  const auto found = waiters_.find(place);
  Waiter& waiter = found->second;
  waiter.asked = false;
  const Now now = clock_.now();
  auto* const denied = answer ? std::get_if<Denied>(&*answer) : nullptr;
  if (denied != nullptr && !waiter.last_asked) return on_denied(found, std::move(*denied), now);
  const bool goes_on = waiter.waits && !waiter.last_asked && !waiter.gone;
  if (is_no_answer(answer) && goes_on) return stay(found, kAskAgain, now);
  give(found, std::move(answer), now);
}

void WaitingService::on_denied(Waiters::iterator found, Denied&& denied, const Now& now) {
  Waiter& waiter = found->second;
  const Millis ask_in = wait_for_room(denied);
  if (!may_wait(denied)) waiter.over = true;
  waiter.denied = std::move(denied);
  if (waiter.gone) return give(found, Answer(std::move(waiter.denied)), now);
  if (!waiter.waits && !waiter.over && !begin_wait(waiter, now)) waiter.over = true;
  stay(found, ask_in, now);
}

// False where too many wait already.
bool WaitingService::begin_wait(Waiter& waiter, const Now& now) {
  Queue& queue = queues_.find(waiter.command().user.text())->second;
  if (waiting_ >= kMaxInAll || queue.waiting >= kMaxOfUser) return false;
  ++waiting_;
  ++queue.waiting;
  waiter.waits = true;
  publish(EventKind::kWaiting, waiter, now);
  return true;
}

// It goes on waiting, unless the time is over or something changed while it was being asked.
void WaitingService::stay(Waiters::iterator found, Millis ask_in, const Now& now) {
  Waiter& waiter = found->second;
  if (std::exchange(waiter.asks_again, false) || waiter.over) return ask(found, now);
  const Millis least = scope_ == Scope::kShared ? kMinPause : Millis(1);
  const Millis wait = std::clamp<Millis>(ask_in, least, pause());
  if (wait <= waiter.until - now.instant) {
    ask_by(waiter.command().user.text(), now.instant + wait, now.instant);
  }
  wake_at(waiter.until, now.instant);
}

void WaitingService::give(Waiters::iterator found, Result<Answer>&& answer, const Now& now) {
  Waiter waiter = std::move(found->second);
  const Place place = found->first;
  waiters_.erase(found);
  remove(waiter, place);
  if (waiter.waits) {
    Outcome outcome = Outcome::kFailed;
    if (auto* granted = answer ? std::get_if<Granted>(&*answer) : nullptr) {
      granted->waited = waiter.waited;
      outcome = Outcome::kStarted;
    } else if (auto* denied = answer ? std::get_if<Denied>(&*answer) : nullptr) {
      outcome = waiter.gone ? Outcome::kLeft : Outcome::kDenied;
      if (waiter.gone) waiter.waited = now.instant - waiter.since;
      denied->waited = waiter.waited;
    }
    if (outcome == Outcome::kLeft) publish(EventKind::kLeft, waiter, now);
    count(outcome, waiter.waited);
  }
  waiter.reply(std::move(answer));
}

void WaitingService::remove(const Waiter& waiter, Place place) {
  const auto queue = queues_.find(waiter.command().user.text());
  if (waiter.waits) {
    --waiting_;
    --queue->second.waiting;
  }
  std::erase(queue->second.places, place);
  if (!queue->second.places.empty()) return;
  queues_.erase(queue);
  if (!queues_.empty()) return;
  events_.set_listener(nullptr);
  timer_.cancel();
  wakes_at_ = Instant::max();
}

void WaitingService::count(Outcome outcome, Millis waited) {
  counts_.durations.add(waited.count());
  switch (outcome) {
    case Outcome::kStarted:
      ++counts_.started;
      break;
    case Outcome::kDenied:
      ++counts_.denied;
      break;
    case Outcome::kLeft:
      ++counts_.left;
      break;
    case Outcome::kFailed:
      ++counts_.failed;
      break;
  }
}

void WaitingService::publish(EventKind kind, const Waiter& waiter, const Now& now) {
  const Start& start = waiter.command();
  Event event;
  event.kind = kind;
  event.active = waiter.denied.active;
  event.limit = waiter.denied.limit;
  event.user = PackedText(start.user.text());
  event.session = PackedText(start.session.text());
  event.at = now.wall();
  event.more = std::make_unique<EventMore>(EventMore{start.details, {}, {}});
  if (kind == EventKind::kLeft) event.more->waited = waiter.waited;
  events_.publish(std::move(event), now.instant);
}

// --- when they are asked ---

void WaitingService::on_event(const Event& event) {
  switch (event.kind) {
    case EventKind::kRenewed:
    case EventKind::kWaiting:
    case EventKind::kLeft:
      return;
    // One that had started ends by it.
    case EventKind::kDenied:
      if (!event.more || !event.more->provisional) return;
      break;
    // A start may have evicted others, and whoever waits under its name is active by it.
    case EventKind::kStarted:
    case EventKind::kEnded:
    case EventKind::kExpired:
    case EventKind::kEvicted:
    case EventKind::kPurged:
    case EventKind::kLimitChanged:
    case EventKind::kBlocked:
    case EventKind::kUnblocked:
      break;
  }
  if (event.user.equals("")) {
    for (auto& [user, queue] : queues_) queue.changed = true;
  } else if (const auto queue = queues_.find(event.user.str()); queue != queues_.end()) {
    queue->second.changed = true;
  } else {
    return;
  }
  turn_.at(Turn::Stage::kPublish, changed_step_);
}

void WaitingService::ask_changed() {
  std::vector<std::string> users;
  for (const auto& [user, queue] : queues_) {
    if (queue.changed) users.push_back(user);
  }
  const Now now = clock_.now();
  for (const std::string& user : users) ask_all(user, now);
}

void WaitingService::look() {
  wakes_at_ = Instant::max();
  const Now now = clock_.now();
  std::vector<std::string> users;
  for (const auto& [user, queue] : queues_) {
    if (queue.due <= now.instant) users.push_back(user);
  }
  for (const std::string& user : users) ask_all(user, now);
  std::vector<Place> places;
  for (const auto& [place, waiter] : waiters_) {
    if (waiter.until <= now.instant) places.push_back(place);
  }
  for (const Place place : places) end_wait(place, now);
  wake_for_next(now.instant);
}

void WaitingService::wake_for_next(Instant now) {
  for (const auto& [user, queue] : queues_) wake_at(queue.due, now);
  for (const auto& [place, waiter] : waiters_) {
    if (!waiter.over) wake_at(waiter.until, now);
  }
}

void WaitingService::ask_by(std::string_view user, Instant at, Instant now) {
  const auto queue = queues_.find(user);
  if (queue == queues_.end()) return;
  queue->second.due = std::min(queue->second.due, at);
  wake_at(at, now);
}

void WaitingService::wake_at(Instant at, Instant now) {
  at = std::min(at, now + kMaxSleep);
  if (at >= wakes_at_) return;
  wakes_at_ = at;
  timer_.expires_after(std::max(at - now, Millis(0)));
  timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled) turn_.run([this] { look(); });
  });
}

Millis WaitingService::pause() {
  if (scope_ == Scope::kAlone) return kAskAgain;
  std::uniform_int_distribution<Millis::rep> jitter(0, kSharedJitter.count());
  return kAskAgainShared + Millis(jitter(random_));
}

}  // namespace concur
