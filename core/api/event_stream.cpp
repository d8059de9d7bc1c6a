#include "api/event_stream.hpp"

#include "api/json_writer.hpp"

#include <algorithm>
#include <utility>

namespace concur {

namespace {

// Looked at in one go: who watches one user among many must not hold up the loop.
constexpr std::uint64_t kMaxLookedAt = 4096;

std::string_view name_of(EventKind kind) {
  switch (kind) {
    case EventKind::kStarted:
      return "started";
    case EventKind::kRenewed:
      return "renewed";
    case EventKind::kEnded:
      return "ended";
    case EventKind::kExpired:
      return "expired";
    case EventKind::kEvicted:
      return "evicted";
    case EventKind::kPurged:
      return "purged";
    case EventKind::kDenied:
      return "denied";
    case EventKind::kLimitChanged:
      return "limit_changed";
    case EventKind::kBlocked:
      return "blocked";
    case EventKind::kUnblocked:
      return "unblocked";
    case EventKind::kWaiting:
      return "waiting";
    case EventKind::kLeft:
      return "left";
  }
  return "ended";
}

bool has_limit(const Event& event) {
  switch (event.kind) {
    case EventKind::kStarted:
    case EventKind::kRenewed:
    case EventKind::kDenied:
    case EventKind::kWaiting:
    case EventKind::kLeft:
      return true;
    case EventKind::kLimitChanged:
      return !event.removed;
    case EventKind::kEnded:
    case EventKind::kExpired:
    case EventKind::kEvicted:
    case EventKind::kPurged:
    case EventKind::kBlocked:
    case EventKind::kUnblocked:
      break;
  }
  return false;
}

void write_more(JsonWriter& json, EventKind kind, const EventMore& more) {
  const Details& details = more.details;
  if (!details.device.empty()) json.field("device", details.device);
  if (!details.ip.empty()) json.field("ip", details.ip);
  if (!details.content.empty()) json.field("content", details.content);
  if (kind == EventKind::kEvicted) {
    json.key("evictedBy").begin_object().field("session", more.evicted_by.session);
    if (!more.evicted_by.device.empty()) json.field("device", more.evicted_by.device);
    json.end_object();
  }
  if (!more.plan.empty()) json.field("plan", more.plan);
  if (!more.rule.empty()) json.field("rule", more.rule);
  if (more.provisional) json.field("provisional", *more.provisional);
  if (more.grace_ends_at) json.field("graceEndsAt", *more.grace_ends_at);
  if (more.until) json.field("until", *more.until);
  if (!more.message.empty()) json.field("message", more.message);
  if (more.waited) json.field("waited", *more.waited);
}

void begin_line(JsonWriter& json, const EventLog& log, std::uint64_t number, WallTime at,
                std::string_view name) {
  json.begin_object()
      .field("boot", log.boot())
      .field("seq", number)
      .field("at", at)
      .field("event", name);
  if (!log.box().empty()) json.field("box", log.box());
}

}  // namespace

void append_event(std::string& out, const EventLog& log, std::uint64_t number, const Event& event) {
  JsonWriter json(out);
  begin_line(json, log, number, event.at, name_of(event.kind));
  if (!event.user.equals("")) json.field("user", event.user.str());
  if (!event.session.equals("")) json.field("session", event.session.str());
  if (event.kind != EventKind::kLimitChanged) json.field("concurrentSessions", event.active);
  if (has_limit(event)) json.field("limit", event.limit);
  if (event.more) write_more(json, event.kind, *event.more);
  if (event.would_deny) json.field("wouldDeny", true);
  if (event.removed) json.field("removed", true);
  json.end_object().end_line();
}

Result<EventKinds> parse_event_kinds(std::string_view names) {
  EventKinds kinds = 0;
  while (true) {
    const std::size_t comma = names.find(',');
    const std::string_view name = names.substr(0, comma);
    EventKinds found = 0;
    for (unsigned number = 0; number <= static_cast<unsigned>(EventKind::kLeft); ++number) {
      const auto kind = static_cast<EventKind>(number);
      if (name_of(kind) == name) found = bit_of(kind);
    }
    if (found == 0) {
      return Error{ErrorKind::kInvalid,
                   "cannot accept parameter 'events': it takes names of events with commas "
                   "between, such as denied,evicted"};
    }
    kinds |= found;
    if (comma == std::string_view::npos) return kinds;
    names.remove_prefix(comma + 1);
  }
}

EventStream::EventStream(EventLog& log, const Clock& clock, Watch watch,
                         std::shared_ptr<std::size_t> at_once)
    : log_(log),
      clock_(clock),
      watch_(std::move(watch)),
      at_once_(std::move(at_once)),
      reader_(log, watch_.user, watch_.renewed, [this] { waker_.wake(); }) {
  ++*at_once_;
  place_cursor();
}

void EventStream::place_cursor() {
  next_ = log_.next();
  if (!watch_.since) return;
  const bool other_boot = !watch_.boot.empty() && watch_.boot != log_.boot();
  restarted_ = other_boot || *watch_.since >= log_.next();
  const std::uint64_t seen = restarted_ ? 0 : *watch_.since;
  next_ = std::max(seen + 1, log_.oldest());
  missed_ = next_ - 1 - seen;
  lost_ = restarted_ || missed_ > 0;
}

// Its number is that of the last event lost: who asks for what is after it misses nothing more.
void EventStream::append_lost(std::string& out) {
  JsonWriter json(out);
  begin_line(json, log_, next_ - 1, clock_.now().wall(), "dropped");
  json.field("missed", missed_);
  if (restarted_) json.field("restarted", true);
  json.end_object().end_line();
}

void EventStream::append_overtaken(std::string& out) {
  JsonWriter json(out);
  begin_line(json, log_, log_.oldest() - 1, clock_.now().wall(), "dropped");
  json.field("missed", log_.oldest() - next_)
      .field("message", "cannot go on: the reader is more than 65,536 events behind")
      .end_object()
      .end_line();
}

BodySource::State EventStream::read(std::string& out, std::size_t room) {
  waker_.reading();
  if (over_) return State::kEnd;
  if (std::exchange(lost_, false)) append_lost(out);
  if (next_ < log_.oldest()) {
    append_overtaken(out);
    over_ = true;
    return State::kEnd;
  }
  for (std::uint64_t looked = 0; next_ < log_.next(); ++next_, ++looked) {
    if (out.size() >= room || looked == kMaxLookedAt) return State::kMore;
    const Event& event = log_.at(next_);
    if (wants(event)) append_event(out, log_, next_, event);
  }
  if (draining_) return State::kEnd;
  waker_.leave_waiting();
  return State::kWaiting;
}

bool EventStream::wants(const Event& event) const {
  if (event.kind == EventKind::kRenewed && !watch_.renewed) return false;
  if ((watch_.kinds & bit_of(event.kind)) == 0) return false;
  return watch_.user.empty() || event.user.equals(watch_.user);
}

// What is published already still goes out.
void EventStream::drain() {
  draining_ = true;
  waker_.wake();
}

}  // namespace concur
