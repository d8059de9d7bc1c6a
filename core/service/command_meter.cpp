#include "service/command_meter.hpp"

#include <variant>

namespace concur {

namespace {

// That a start waited for room says nothing of how long answers take.
std::chrono::nanoseconds waited(const Result<Answer>& answer) {
  if (!answer) return {};
  if (const auto* granted = std::get_if<Granted>(&*answer)) {
    return granted->waited.value_or(Millis(0));
  }
  if (const auto* denied = std::get_if<Denied>(&*answer)) return denied->waited.value_or(Millis(0));
  return {};
}

}  // namespace

void CommandMeter::count(CommandKind kind, std::chrono::nanoseconds since,
                         const Result<Answer>& answer) {
  const std::chrono::nanoseconds now = clock_.since_boot();
  counts_.durations[static_cast<std::size_t>(kind)].add((now - since - waited(answer)).count());
  if (answer) {
    answered(kind, *answer, Instant(std::chrono::floor<Millis>(now)));
  } else {
    failed(kind);
  }
}

void CommandMeter::answered(CommandKind kind, const Answer& answer, Instant now) {
  if (const auto* grant = std::get_if<Granted>(&answer)) {
    granted(kind, *grant, now);
  } else if (const auto* denied = std::get_if<Denied>(&answer)) {
    denials_.add(now);
    ++counts_.starts.denied;
    count_rule(denied->broken);
  } else if (std::holds_alternative<Throttled>(answer)) {
    ++counts_.starts.throttled;
  } else if (std::holds_alternative<Blocked>(answer)) {
    ++counts_.starts.blocked;
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

void CommandMeter::granted(CommandKind kind, const Granted& granted, Instant now) {
  (granted.renewed ? heartbeats_ : starts_).add(now);
  if (granted.would_deny) {
    denials_.add(now);
    count_rule(granted.broken);
  }
  if (kind == CommandKind::kHeartbeat) {
    ++counts_.heartbeats.renewed;
  } else if (granted.would_deny) {
    ++counts_.starts.would_deny;
  } else {
    ++(granted.renewed ? counts_.starts.renewed : counts_.starts.started);
  }
}

// There are as many as the configuration has, and had.
void CommandMeter::count_rule(const std::vector<Broken>& broken) {
  constexpr std::size_t kMost = std::size_t{4} * kMaxRules;
  if (broken.empty() || broken.front().rule == kLimitName) return;
  const bool known = counts_.denials_by_rule.contains(broken.front().rule);
  if (known || counts_.denials_by_rule.size() < kMost) {
    ++counts_.denials_by_rule[broken.front().rule];
  }
}

void CommandMeter::failed(CommandKind kind) {
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

CommandFigures CommandMeter::figures(Instant now) const {
  return {counts_, starts_.rate(now), denials_.rate(now), heartbeats_.rate(now), ends_.rate(now)};
}

}  // namespace concur
