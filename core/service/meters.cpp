#include "service/meters.hpp"

#include <variant>

namespace concur {

CommandKind kind_of(const Command& command) {
  if (std::holds_alternative<Heartbeat>(command)) return CommandKind::kHeartbeat;
  if (std::holds_alternative<Start>(command)) return CommandKind::kStart;
  if (std::holds_alternative<End>(command)) return CommandKind::kEnd;
  return CommandKind::kOther;
}

void Meters::answered(CommandKind kind, const Answer& answer, Instant now) {
  if (const auto* grant = std::get_if<Granted>(&answer)) {
    granted(kind, *grant, now);
  } else if (std::holds_alternative<Denied>(answer)) {
    denials_.add(now);
    ++counts_.starts.denied;
  } else if (std::holds_alternative<Throttled>(answer)) {
    ++counts_.starts.throttled;
  } else if (std::holds_alternative<Gone>(answer)) {
    ++counts_.heartbeats.gone;
  } else if (std::holds_alternative<Unknown>(answer)) {
    ++counts_.heartbeats.unknown;
  } else if (const auto* end = std::get_if<Ended>(&answer)) {
    if (end->ended) ends_.add(now);
    ++(end->ended ? counts_.ends.ended : counts_.ends.not_active);
  } else if (std::holds_alternative<Refused>(answer)) {
    failed(kind);
  }
}

void Meters::granted(CommandKind kind, const Granted& granted, Instant now) {
  (granted.renewed ? heartbeats_ : starts_).add(now);
  if (granted.would_deny) denials_.add(now);
  if (kind == CommandKind::kHeartbeat) {
    ++counts_.heartbeats.renewed;
  } else if (granted.would_deny) {
    ++counts_.starts.would_deny;
  } else {
    ++(granted.renewed ? counts_.starts.renewed : counts_.starts.started);
  }
}

void Meters::failed(CommandKind kind) {
  switch (kind) {
    case CommandKind::kStart:
      ++counts_.starts.failed;
      break;
    case CommandKind::kHeartbeat:
      ++counts_.heartbeats.failed;
      break;
    case CommandKind::kEnd:
      ++counts_.ends.failed;
      break;
    case CommandKind::kOther:
      break;
  }
}

void Meters::published(EventKind kind, Instant now) {
  switch (kind) {
    case EventKind::kExpired:
      expiries_.add(now);
      break;
    case EventKind::kEvicted:
      evictions_.add(now);
      break;
    case EventKind::kPurged:
      ++counts_.purged;
      break;
    case EventKind::kStarted:
    case EventKind::kRenewed:
    case EventKind::kEnded:
    case EventKind::kDenied:
    case EventKind::kLimitChanged:
      break;
  }
}

void Meters::committed(bool worked, std::chrono::nanoseconds time, std::size_t changes) {
  counts_.commits.add(time.count());
  counts_.commit_changes.add(static_cast<std::int64_t>(changes));
  if (!worked) ++counts_.commits_failed;
}

void Meters::tell(ServiceStatus& status, Instant now) const {
  const auto rate = [now](const RateMeter& meter) {
    return Rate{meter.total(), meter.per_second(now)};
  };
  status.starts = rate(starts_);
  status.denials = rate(denials_);
  status.heartbeats = rate(heartbeats_);
  status.ends = rate(ends_);
  status.evictions = rate(evictions_);
  status.expiries = rate(expiries_);
  status.counts = counts_;
}

}  // namespace concur
