#include "tally.hpp"
#include "base/text.hpp"

namespace concur::simulation {

Tally& Tally::operator+=(const Tally& other) {
  starts += other.starts;
  denials += other.denials;
  observed += other.observed;
  ends += other.ends;
  evictions += other.evictions;
  purges += other.purges;
  return *this;
}

bool Tally::within(const Tally& other) const {
  return starts <= other.starts && denials <= other.denials && observed <= other.observed &&
         ends <= other.ends && evictions <= other.evictions && purges <= other.purges;
}

Tally tally_of(const Answer& answer) {
  Tally tally;
  if (const auto* granted = std::get_if<Granted>(&answer)) {
    tally.starts = granted->renewed ? 0 : 1;
    tally.observed = granted->would_deny ? 1 : 0;
    tally.evictions = granted->evicted.size();
  } else if (std::holds_alternative<Denied>(answer)) {
    tally.denials = 1;
  } else if (const auto* ended = std::get_if<Ended>(&answer)) {
    tally.ends = ended->ended ? 1 : 0;
  } else if (const auto* purged = std::get_if<Purged>(&answer)) {
    tally.purges = purged->dry_run ? 0 : purged->count;
  }
  return tally;
}

Tally tally_of(const Event& event) {
  Tally tally;
  switch (event.kind) {
    case EventKind::kStarted:
      // One that was let in for a while, and stays, began before.
      tally.starts = event.more && event.more->provisional == false ? 0 : 1;
      break;
    case EventKind::kDenied:
      // Nobody is answered where one that was let in for a while has to go.
      tally.denials = event.would_deny || (event.more && event.more->provisional) ? 0 : 1;
      break;
    case EventKind::kEnded:
      tally.ends = 1;
      break;
    case EventKind::kEvicted:
      tally.evictions = 1;
      break;
    case EventKind::kPurged:
      tally.purges = 1;
      break;
    case EventKind::kRenewed:
    case EventKind::kExpired:
    case EventKind::kLimitChanged:
    case EventKind::kBlocked:
    case EventKind::kUnblocked:
    case EventKind::kWaiting:
    case EventKind::kLeft:
      break;
  }
  return tally;
}

std::string text_of(const Tally& tally) {
  return text::format("{} starts, {} denials, {} observed, {} ends, {} evictions, {} purges",
                      tally.starts, tally.denials, tally.observed, tally.ends, tally.evictions,
                      tally.purges);
}

}  // namespace concur::simulation
