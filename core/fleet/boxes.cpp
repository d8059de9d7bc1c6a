#include "fleet/boxes.hpp"

#include "base/duration.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"
#include "rules/rule_text.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <charconv>
#include <utility>

namespace concur {

namespace {

constexpr char kBoxForm = '1';
constexpr char kBetween = '\t';  // no label, version or digest holds one

std::string write_box(const Boxes::Self& self, WallTime now) {
  return text::format("{}{}{}{}{}{}{}{}", kBoxForm, now.time_since_epoch().count(), kBetween,
                      self.label, kBetween, self.version, kBetween, self.policy);
}

bool read_box(std::string_view value, FleetStatus::Box& box) {
  if (!value.starts_with(kBoxForm)) return false;
  value.remove_prefix(1);
  std::int64_t seen = 0;
  const auto [rest, failed] = std::from_chars(value.data(), value.data() + value.size(), seen);
  if (failed != std::errc() || seen < 0) return false;
  value.remove_prefix(static_cast<std::size_t>(rest - value.data()));
  box.seen_at = WallTime(Millis(seen));
  for (std::string* part : {&box.label, &box.version, &box.policy}) {
    if (!value.starts_with(kBetween)) return false;
    value.remove_prefix(1);
    const std::size_t size = std::min(value.find(kBetween), value.size());
    *part = value.substr(0, std::min<std::size_t>(size, 256));
    if (!is_utf8(*part) || has_control(*part)) return false;
    value.remove_prefix(size);
  }
  return true;
}

}  // namespace

std::string hex_of(std::uint64_t id) { return text::format("{:x}", id); }

std::string digest_of(const Rules& rules) {
  std::string all = text::format("{} {} {} {} {}", rules.limit, rules.lease.count(),
                                 static_cast<int>(rules.on_limit), static_cast<int>(rules.mode),
                                 rules.hold_off.count());
  if (rules.counts) text::append(all, " {}", name_of(*rules.counts));
  if (rules.rules) {
    for (const Rule& each : rules.rules->all()) {
      text::append(all, "\n{} = {}", each.name, to_text(each));
    }
  }
  if (rules.longest != Millis(0)) text::append(all, " longest {}", rules.longest.count());
  if (rules.overlap != Millis(0)) text::append(all, " overlap {}", rules.overlap.count());
  for (const Attribute& each : rules.required) text::append(all, " requires {}", name_of(each));
  return text::format("{:08x}", XXH3_64bits(all.data(), all.size()) & 0xFFFF'FFFFU);
}

Boxes::Boxes(engine::Engine& engine, const Clock& clock, const std::string& prefix, Millis timeout,
             Self self)
    : engine_(engine),
      clock_(clock),
      key_(prefix + "boxes"),
      timeout_(timeout),
      self_(std::move(self)) {}

void Boxes::tick() {
  const Instant now = clock_.now().instant;
  if (!writing_ && now >= next_write_) write();
  if (!reading_ && now >= next_read_) read();
}

void Boxes::set_policy(const std::string& digest) {
  if (digest == self_.policy) return;
  self_.policy = digest;
  next_write_ = {};
}

void Boxes::write() {
  const Now now = clock_.now();
  const auto clock = engine_.clock_of(key_);
  const Millis ahead = clock ? clock->earliest : now.offset();
  engine::Change change;
  change.key = key_;
  const WallTime there((now.instant + ahead).time_since_epoch());
  change.fields.push_back({"b" + hex_of(self_.id), write_box(self_, there)});
  for (const auto& [id, box] : others_) {
    if (there - box.seen_at > kForget) change.fields.push_back({"b" + hex_of(id), std::nullopt});
  }
  change.expiry = {engine::Expiry::Kind::kAtLeast, kForget};
  change.despite_full_memory = true;
  change.acknowledged = false;
  writing_ = true;
  engine_.change(change, now.instant + timeout_, [this](engine::ChangeOutcome&& outcome) {
    writing_ = false;
    const bool done = outcome.result == engine::ChangeOutcome::Result::kApplied;
    next_write_ = clock_.now().instant + (done ? kWriteAgain : Millis(1000));
  });
}

void Boxes::read() {
  reading_ = true;
  engine_.read(key_, {}, clock_.now().instant + timeout_, [this](engine::ReadOutcome&& outcome) {
    reading_ = false;
    read_at_ = clock_.now().instant;
    next_read_ = read_at_ + kReadAgain;
    if (outcome.available) take(outcome.fields, outcome.now);
  });
}

// Who was there is known by its label also where the engine has forgotten it.
void Boxes::take(const engine::Fields& fields, WallTime now) {
  std::erase_if(others_, [now](const auto& each) { return now - each.second.seen_at > kForget; });
  for (const engine::Field& each : fields) {
    std::uint64_t id = 0;
    const char* const end = each.name.data() + each.name.size();
    if (!each.name.starts_with('b') || !each.value) continue;
    const auto [rest, failed] = std::from_chars(each.name.data() + 1, end, id, 16);
    FleetStatus::Box box;
    if (failed != std::errc() || rest != end || id == self_.id || !read_box(*each.value, box)) {
      continue;
    }
    box.id = hex_of(id);
    others_[id] = std::move(box);
  }
}

// One that is not known is new: it is asked for, for the next time.
std::string Boxes::label_of(std::uint64_t id) {
  if (id == self_.id) return self_.label;
  const auto found = others_.find(id);
  if (found != others_.end()) return found->second.label;
  next_read_ = std::min(next_read_, read_at_ + kReadSoonest);
  return hex_of(id);
}

std::vector<FleetStatus::Box> Boxes::others() const {
  std::vector<FleetStatus::Box> all;
  for (const auto& [id, box] : others_) {
    all.push_back(box);
    bool doubled = box.label == self_.label;
    for (const auto& [other_id, other] : others_) {
      doubled |= other_id != id && other.label == box.label;
    }
    all.back().differs = doubled || box.policy != self_.policy;
  }
  return all;
}

}  // namespace concur
