#include "store/rows.hpp"

#include "base/utf8.hpp"
#include "session/id.hpp"
#include "session/policy.hpp"
#include "session/wording.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <memory>
#include <utility>

namespace concur {

namespace {

// Milliseconds of 2,200 years, far beyond any real clock, and few enough that the registry can hold
// the difference of two.
bool is_sane(std::int64_t number) {
  constexpr std::int64_t kMax = 1LL << 46;
  static_assert(2 * kMax <= Int48::kMax + 1);
  return number > -kMax && number < kMax;
}

bool is_row_id(std::int64_t id) { return id > 0 && id <= kLastRow; }

bool is_count(std::int64_t number) { return number >= 0 && number <= UINT32_MAX; }

bool is_plain(const std::string& text) {
  return text.size() <= Id::kMaxBytes && is_utf8(text) && !has_control(text);
}

bool is_valid(const Details& details) {
  if (!is_plain(details.device) || !is_plain(details.ip) || !is_plain(details.content))
    return false;
  if (details.meta.empty()) return true;
  boost::json::error_code failed;
  return boost::json::parse(details.meta, failed).is_object() && !failed;
}

// What is wrong with a name; empty where nothing is.
std::string refusal_of(std::string_view what, const std::string& name) {
  const auto id = Id::parse(what, name);
  return id ? std::string() : id.error().message;
}

bool is_valid_message(const std::string& message) { return check_message(message).has_value(); }

constexpr const char* kOutOfRange = "cannot accept row: a number is out of range";

ReadRow read_session(const Statement& from, const Now& now, std::int64_t boot) {
  Row row;
  row.id = from.integer(0);
  row.user = from.text(1);
  row.session = from.text(2);
  const std::int64_t started = from.integer(3);
  const std::int64_t seen = from.integer(4);
  const std::int64_t expires = from.integer(5);
  const std::int64_t ttl = from.integer(6);
  const std::int64_t offset = from.integer(8) == boot ? from.integer(7) : now.offset().count();
  Details details{from.text(9), from.text(10), from.text(11), from.text(12)};
  const std::int64_t start = from.integer(13);
  const std::int64_t fleet_id = from.integer(14);
  const std::int64_t overlap = from.integer(15);
  const std::int64_t limit = from.integer(16);
  std::string refusal = refusal_of("user", row.user);
  if (refusal.empty()) refusal = refusal_of("session", row.session);
  if (refusal.empty() &&
      (!is_row_id(row.id) || !is_sane(started) || !is_sane(seen) || !is_sane(expires) ||
       !is_sane(ttl) || !is_sane(offset) || !is_count(start) ||
       (fleet_id != 0 && !is_row_id(fleet_id)) || overlap < 0 || overlap > kMaxOverlap.count() ||
       limit < 0 || limit > std::int64_t{kMaxLimit} + 1)) {
    refusal = kOutOfRange;
  }
  if (refusal.empty() && !is_valid(details)) {
    refusal = "cannot accept row: device, ip, content or meta is malformed";
  }
  if (refusal.empty()) {
    row.started = Instant(Millis(started - offset));
    row.last_seen = Instant(Millis(seen - offset));
    row.expires = Instant(Millis(expires - offset));
    row.ttl = Millis(ttl);
    row.start = static_cast<std::uint32_t>(start);
    row.fleet_id = fleet_id;
    if (!details.empty()) row.details = std::make_unique<Details>(std::move(details));
    if (overlap > 0) {
      row.overlap = std::make_unique<Overlap>(Overlap{Millis(overlap), {}});
      if (limit > 0) row.overlap->limit = static_cast<std::uint32_t>(limit - 1);
    }
  }
  return {std::move(row), std::move(refusal)};
}

std::optional<Mark> mark_of(std::int64_t number) {
  for (const Mark each :
       {Mark::kHeldOff, Mark::kProtected, Mark::kChangedHands, Mark::kFoughtOver}) {
    if (number == static_cast<std::int64_t>(each)) return each;
  }
  return std::nullopt;
}

ReadRow read_hold_off(const Statement& from, const Now& now, std::int64_t boot) {
  HoldOffRow row{from.integer(0), from.text(1), from.text(2), from.text(3), {}, from.text(7), {}};
  const std::int64_t since = from.integer(4);
  const std::int64_t offset = from.integer(6) == boot ? from.integer(5) : now.offset().count();
  std::string refusal = refusal_of("user", row.user);
  if (refusal.empty()) refusal = refusal_of("session", row.session);
  if (refusal.empty() && (!is_plain(row.device) || !is_plain(row.address))) {
    refusal = "cannot accept row: device or address is malformed";
  }
  if (refusal.empty() && !from.is_null(8)) {
    row.mark = mark_of(from.integer(8));
    if (!row.mark) refusal = "cannot accept row: its mark is unknown";
  }
  if (refusal.empty() && (!is_row_id(row.id) || !is_sane(since) || !is_sane(offset))) {
    refusal = kOutOfRange;
  }
  if (refusal.empty()) row.since = Instant(Millis(since - offset));
  return {std::move(row), std::move(refusal)};
}

ReadRow read_gone(const Statement& from, const Now& now, std::int64_t boot) {
  GoneRow row;
  row.id = from.integer(0);
  row.user = from.text(1);
  row.session = from.text(2);
  const std::string reason = from.text(3);
  EvictedBy by{from.text(4), from.text(5)};
  const std::int64_t at = from.integer(6);
  const std::int64_t ttl = from.integer(7);
  const std::int64_t offset = from.integer(9) == boot ? from.integer(8) : now.offset().count();
  std::string refusal = refusal_of("user", row.user);
  if (refusal.empty()) refusal = refusal_of("session", row.session);
  if (refusal.empty() &&
      (!is_row_id(row.id) || !is_sane(at) || !is_sane(ttl) || !is_sane(offset))) {
    refusal = kOutOfRange;
  }
  if (refusal.empty() && reason == stored_word_of(EndReason::kEvicted)) {
    refusal = refusal_of("session", by.session);
    if (refusal.empty() && !is_plain(by.device))
      refusal = "cannot accept row: by_device is malformed";
    row.reason = EndReason::kEvicted;
    row.by = std::make_unique<EvictedBy>(std::move(by));
  } else if (refusal.empty() && reason == stored_word_of(EndReason::kEnded)) {
    row.reason = EndReason::kEnded;
  } else if (refusal.empty() && reason == stored_word_of(EndReason::kDenied)) {
    row.reason = EndReason::kDenied;
  } else if (refusal.empty() && reason != stored_word_of(EndReason::kPurged)) {
    refusal = "cannot accept row: its reason is unknown";
  }
  row.message = from.text(10);
  if (refusal.empty() && !is_valid_message(row.message)) {
    refusal = "cannot accept row: its message is malformed";
  }
  if (refusal.empty()) {
    row.at = Instant(Millis(at - offset));
    row.ttl = Millis(ttl);
  }
  return {std::move(row), std::move(refusal)};
}

// A limit and what happens at it, from two columns on; the words are checked.
struct ReadTerms {
  std::optional<std::uint32_t> limit;
  std::optional<OnLimit> on_limit;
  std::string refusal;
};

ReadTerms read_terms(const Statement& from, int limit, int on_limit) {
  ReadTerms terms;
  if (!from.is_null(limit)) {
    const std::int64_t number = from.integer(limit);
    if (number < 0 || number > kMaxLimit) terms.refusal = kOutOfRange;
    terms.limit = static_cast<std::uint32_t>(number);
  }
  if (!from.is_null(on_limit)) {
    terms.on_limit = on_limit_of(from.text(on_limit));
    if (!terms.on_limit) terms.refusal = "cannot accept row: its on_limit is unknown";
  }
  return terms;
}

// "tvs=2,homes=0", as far as it is that: one row that is no number takes no other with it.
RuleNumbers read_numbers(const Statement& from, int column) {
  return RuleNumbers::parse_readable(from.text(column));
}

ReadRow read_limit(const Statement& from, const Now& /*now*/, std::int64_t /*boot*/) {
  const ReadTerms terms = read_terms(from, 1, 3);
  LimitRow row{from.text(0), terms.limit, terms.on_limit, from.text(2), read_numbers(from, 4)};
  std::string refusal = refusal_of("user", row.user);
  if (refusal.empty() && !row.plan.empty()) refusal = refusal_of("plan", row.plan);
  if (refusal.empty()) refusal = terms.refusal;
  return {std::move(row), std::move(refusal)};
}

ReadRow read_block(const Statement& from, const Now& now, std::int64_t boot) {
  BlockRow row{from.text(0), {}};
  const std::int64_t since = from.integer(1);
  const std::int64_t length = from.is_null(2) ? 0 : from.integer(2);
  row.block.message = from.text(3);
  const std::int64_t offset = from.integer(5) == boot ? from.integer(4) : now.offset().count();
  std::string refusal = refusal_of("user", row.user);
  if (refusal.empty() && !is_valid_message(row.block.message)) {
    refusal = "cannot accept row: its message is malformed";
  }
  const bool is_sane_length = length >= 0 && length <= kMaxBlock.count();
  if (refusal.empty() && (!is_sane(since) || !is_sane_length || !is_sane(offset))) {
    refusal = kOutOfRange;
  }
  if (refusal.empty()) {
    row.block.since = Instant(Millis(since - offset));
    if (!from.is_null(2)) row.block.length = Millis(length);
  }
  return {std::move(row), std::move(refusal)};
}

ReadRow read_plan(const Statement& from, const Now& /*now*/, std::int64_t /*boot*/) {
  const ReadTerms terms = read_terms(from, 1, 2);
  PlanRow row{from.text(0), terms.limit.value_or(0), terms.on_limit, read_numbers(from, 3)};
  std::string refusal = refusal_of("plan", row.plan);
  if (refusal.empty()) refusal = terms.refusal;
  return {std::move(row), std::move(refusal)};
}

constexpr RowSource kSources[kRowSources] = {
    {"plans",
     "SELECT plan, max_sessions, on_limit, (SELECT group_concat(rule || '=' || max) "
     "FROM rule_numbers WHERE of = 'plan' AND name = plan) FROM plans",
     read_plan},
    {"limits",
     "SELECT user, max_sessions, plan, on_limit, (SELECT group_concat(rule || '=' || max) "
     "FROM rule_numbers WHERE of = 'user' AND name = user) FROM limits",
     read_limit},
    {"blocks", "SELECT user, since, length, message, clock_offset, boot FROM blocks", read_block},
    {"sessions",
     "SELECT id, user, session, started_at, last_seen_at, expires_at, ttl, clock_offset, boot, "
     "device, ip, content, meta, start, fleet_start, overlap, overlap_limit FROM sessions ORDER BY "
     "id",
     read_session},
    {"hold_offs",
     "SELECT id, user, session, device, since, clock_offset, boot, address, mark FROM hold_offs "
     "ORDER BY since",
     read_hold_off},
    {"gone",
     "SELECT id, user, session, reason, by_session, by_device, at, ttl, clock_offset, boot, "
     "message FROM gone ORDER BY id",
     read_gone},
};

}  // namespace

std::string_view stored_word_of(EndReason reason) {
  if (reason == EndReason::kEnded) return "ended";
  if (reason == EndReason::kDenied) return "denied";
  return reason == EndReason::kEvicted ? "evicted" : "purged";
}

const RowSource (&row_sources())[kRowSources] { return kSources; }

}  // namespace concur
