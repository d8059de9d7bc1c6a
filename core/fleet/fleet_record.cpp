#include "fleet/fleet_record.hpp"

#include "base/text.hpp"
#include "fleet/user_fields.hpp"
#include "fleet/value_text.hpp"
#include "session/id.hpp"

#include <algorithm>
#include <charconv>
#include <random>

namespace concur {

namespace {

constexpr std::int64_t kHoursADay = 24;
constexpr std::int64_t kLastHour = std::int64_t{1} << 32;

bool shows_something(const Usage& usage) {
  return usage.denials > 0 || usage.evictions > 0 || usage.conflicts > 0 || usage.peak > 1;
}

std::string write_usage(const Usage& usage) {
  ValueWriter value;
  for (const std::uint32_t count : {usage.starts, usage.denials, usage.evictions, usage.peak,
                                    usage.attempted, usage.excess, usage.conflicts}) {
    value.number(std::int64_t{count});
  }
  value.text('d', usage.devices.bytes()).text('a', usage.addresses.bytes());
  value.text('r', usage.by_rule.to_text());
  return std::move(value).with({});
}

std::optional<Usage> read_usage(std::string_view text, std::int64_t hour) {
  ValueReader value(text);
  Usage usage;
  usage.hour = hour;
  for (std::uint32_t* count : {&usage.starts, &usage.denials, &usage.evictions, &usage.peak,
                               &usage.attempted, &usage.excess, &usage.conflicts}) {
    *count = value.number<std::uint32_t>(0, UINT32_MAX / 2);
  }
  const auto devices = DistinctCount::parse(value.text('d'));
  const auto addresses = DistinctCount::parse(value.text('a'));
  const auto by_rule = RuleNumbers::parse(value.text('r'));
  if (value.failed() || !devices || !addresses || !by_rule) return std::nullopt;
  usage.by_rule = *by_rule;
  usage.devices = *devices;
  usage.addresses = *addresses;
  return usage;
}

std::optional<std::int64_t> hour_of_field(std::string_view name) {
  std::int64_t hour = 0;
  const char* const end = name.data() + name.size();
  const auto [rest, failed] = std::from_chars(name.data(), end, hour, 16);
  if (failed != std::errc() || rest == end || *rest != '.' || hour < 0 || hour > kLastHour) {
    return std::nullopt;
  }
  return hour;
}

// A day's key: <prefix>r:<day>:<user>.
std::string user_of_record(std::string_view prefix, std::string_view key) {
  if (!key.starts_with(prefix)) return {};
  key.remove_prefix(prefix.size());
  if (!key.starts_with("r:")) return {};
  key.remove_prefix(2);
  const std::size_t colon = key.find(':');
  if (colon == std::string_view::npos) return {};
  const auto user = name_of_key_text(key.substr(colon + 1));
  return user && Id::parse("user", *user) ? *user : std::string();
}

}  // namespace

struct FleetRecord::Collecting {
  std::int64_t first = 0;
  std::function<void(Result<Hours>)> done;
  std::map<Hour, Usage> found{};
  std::size_t waiting = 0;
  std::string failure{};

  void conclude() {
    if (!failure.empty()) {
      return done(Error{ErrorKind::kUnavailable, "cannot ask the fleet's engine: " + failure});
    }
    Hours hours;
    hours.reserve(found.size());
    for (auto& [hour, usage] : found) hours.push_back({hour.first, std::move(usage)});
    done(std::move(hours));
  }
};

FleetRecord::FleetRecord(engine::Engine& engine, const Clock& clock, std::string prefix,
                         Millis timeout, std::uint64_t box, Millis history)
    : engine_(engine),
      clock_(clock),
      prefix_(std::move(prefix)),
      timeout_(timeout),
      suffix_(text::format(".{:x}.{:x}", box, std::random_device{}())),
      history_(history),
      walk_(
          engine, clock, [this](std::string_view key) { return user_of_record(prefix_, key); },
          timeout) {}

std::string FleetRecord::key_of(std::string_view user, std::int64_t day) const {
  return text::format("{}r:{:x}:{}", prefix_, day, key_text(user));
}

// --- writing ---

void FleetRecord::add(const AddUsage& part) {
  if (part.usage.hour != last_hour_) forget_old(part.usage.hour);
  const Hour hour(part.user, part.usage.hour);
  auto found = known_.find(hour);
  if (found == known_.end()) {
    if (known_.size() >= kMaxKnown) return;
    found = known_.emplace(hour, Known()).first;
    found->second.usage.hour = part.usage.hour;
  }
  Known& known = found->second;
  known.usage.merge(part.usage);
  if (known.queued || !shows_something(known.usage)) return;
  known.queued = true;
  to_write_.push_back(hour);
}

// Parts may come some minutes late.
void FleetRecord::forget_old(std::int64_t hour) {
  last_hour_ = std::max(last_hour_, hour);
  std::erase_if(known_, [this](const auto& each) {
    return each.first.second + 1 < last_hour_ && !each.second.queued;
  });
}

// Each once: what is refused at once, for the engine is away, is for the next time.
void FleetRecord::tick() {
  for (std::size_t left = to_write_.size(); left > 0 && writing_ < kWritesAtOnce; --left) {
    const Hour hour = std::move(to_write_.front());
    to_write_.pop_front();
    write(hour);
  }
}

void FleetRecord::write(const Hour& hour) {
  const auto found = known_.find(hour);
  if (found == known_.end()) return;
  found->second.queued = false;
  engine::Change change;
  change.key = key_of(hour.first, hour.second / kHoursADay);
  change.fields.push_back(
      {text::format("{:x}{}", hour.second, suffix_), write_usage(found->second.usage)});
  change.expiry = {engine::Expiry::Kind::kAtLeast, history_};
  change.acknowledged = false;
  ++writing_;
  engine_.change(change, clock_.now().instant + timeout_,
                 [this, hour](engine::ChangeOutcome&& outcome) {
                   --writing_;
                   if (outcome.result == engine::ChangeOutcome::Result::kApplied) return;
                   const auto known = known_.find(hour);
                   if (known == known_.end() || known->second.queued) return;
                   known->second.queued = true;
                   to_write_.push_back(hour);
                 });
}

// --- reading ---

void FleetRecord::collect(std::int64_t first_hour, const std::optional<std::string>& user,
                          std::function<void(Result<Hours>)> done) {
  auto collecting = std::make_shared<Collecting>();
  collecting->first = first_hour;
  collecting->done = std::move(done);
  // What this box knows is newer than what it has written.
  for (const auto& [hour, known] : known_) {
    if (hour.second < first_hour || (user && hour.first != *user)) continue;
    if (shows_something(known.usage)) collecting->found.emplace(hour, known.usage);
  }
  if (user) return read_days(collecting, *user);
  go_on(collecting, {});
}

void FleetRecord::go_on(const std::shared_ptr<Collecting>& collecting,
                        const engine::WalkPosition& from) {
  walk_.step(from, [this, collecting](WalkStep&& step) {
    if (!step.available) {
      collecting->failure = step.cause;
      return collecting->conclude();
    }
    for (const WalkedUser& each : step.users) take_of(*collecting, each.user, each.fields);
    if (!step.next) return collecting->conclude();
    go_on(collecting, *step.next);
  });
}

void FleetRecord::read_days(const std::shared_ptr<Collecting>& collecting,
                            const std::string& user) {
  const WallTime now = clock_.now().wall();
  const std::int64_t last =
      std::chrono::floor<std::chrono::hours>(now.time_since_epoch()).count() / kHoursADay + 1;
  const std::int64_t first = std::max(collecting->first / kHoursADay, last - 3700);
  const Instant deadline = clock_.now().instant + timeout_;
  collecting->waiting = static_cast<std::size_t>(last - first + 1);
  for (std::int64_t day = first; day <= last; ++day) {
    engine_.read(key_of(user, day), {}, deadline,
                 [this, collecting, user](engine::ReadOutcome&& outcome) {
                   if (!outcome.available) collecting->failure = outcome.cause;
                   take_of(*collecting, user, outcome.fields);
                   if (--collecting->waiting == 0) collecting->conclude();
                 });
  }
}

void FleetRecord::take_of(Collecting& collecting, const std::string& user,
                          const engine::Fields& fields) const {
  for (const engine::Field& each : fields) {
    const auto hour = hour_of_field(each.name);
    const bool is_ours = each.name.ends_with(suffix_);
    if (!hour || *hour < collecting.first || !each.value) continue;
    if (is_ours && known_.contains(Hour(user, *hour))) continue;
    const auto usage = read_usage(*each.value, *hour);
    if (!usage) continue;
    const auto [found, is_new] = collecting.found.emplace(Hour(user, *hour), *usage);
    if (!is_new) found->second.merge(*usage);
  }
}

}  // namespace concur
