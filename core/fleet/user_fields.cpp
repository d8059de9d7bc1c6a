#include "fleet/user_fields.hpp"

#include "fleet/value_text.hpp"
#include "session/id.hpp"
#include "session/int48.hpp"
#include "session/policy.hpp"
#include "session/wording.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

namespace concur {

namespace {

constexpr Millis kClockUncertainty{1000};
constexpr std::size_t kMaxReplaced = 512;
constexpr std::int64_t kLatest = ValueReader::kLatest;
static_assert(kLatest <= Int48::kMax);

std::int64_t millis(Instant at) { return at.time_since_epoch().count(); }

// --- sessions ---

std::string write_overlap(const Overlap& overlap) {
  ValueWriter value;
  value.number(overlap.length.count()).number(overlap.limit ? std::int64_t{*overlap.limit} : -1);
  return std::move(value).with({});
}

// What a newer one wrote behind it is let go of with it, when it is over.
std::unique_ptr<Overlap> read_overlap(std::string_view text) {
  ValueReader value(text);
  const Millis length{value.number<std::int64_t>(0, kMaxOverlap.count())};
  const auto limit = value.number<std::int64_t>(-1, kMaxLimit);
  if (value.failed()) return nullptr;
  auto overlap = std::make_unique<Overlap>(Overlap{length, {}});
  if (limit >= 0) overlap->limit = static_cast<std::uint32_t>(limit);
  return overlap;
}

std::string write_row(const UserState::Session& session) {
  const Row& row = session.row;
  ValueWriter value;
  value.number(row.id).number(millis(row.started)).number(row.ttl.count());
  if (row.details) {
    value.text('d', row.details->device).text('i', row.details->ip);
    value.text('c', row.details->content).text('m', row.details->meta);
  }
  if (row.overlap) value.text('o', write_overlap(*row.overlap));
  return std::move(value).with(session.row_rest);
}

bool read_row(std::string_view text, UserState::Session& into) {
  ValueReader value(text);
  Row& row = into.row;
  row.id = value.number<std::int64_t>(1, kLatest);
  row.started = value.instant();
  row.ttl = Millis(value.number<std::int64_t>(kMinLease.count(), kMaxLease.count()));
  Details details{value.text('d'), value.text('i'), value.text('c'), value.text('m')};
  const std::string overlap = value.text('o');
  if (value.failed()) return false;
  if (!overlap.empty()) row.overlap = read_overlap(overlap);
  if (!details.empty()) row.details = std::make_unique<Details>(std::move(details));
  into.row_rest = value.rest();
  return true;
}

// One that is over by its age may have been over before it was last seen, when that was longer.
std::string write_lease(const UserState::Session& session) {
  const Row& row = session.row;
  const Instant last_seen = std::min(row.last_seen, row.expires);
  ValueWriter value;
  value.number(millis(last_seen)).number((row.expires - last_seen).count());
  value.number(row.start).bytes(session.box);
  return std::move(value).with(session.lease_rest);
}

bool read_lease(std::string_view text, Instant now, UserState::Session& into) {
  ValueReader value(text);
  Row& row = into.row;
  row.last_seen = value.instant();
  const Millis length{value.number<std::int64_t>(0, kMaxLease.count())};
  row.start = value.number<std::uint32_t>(0, UINT32_MAX);
  into.box = value.number<std::uint64_t>(0, UINT64_MAX);
  if (value.failed()) return false;
  row.expires = std::min(row.last_seen + length, now + kMaxLease);
  into.lease_rest = value.rest();
  return true;
}

// --- the gone ---

constexpr std::pair<EndReason, char> kReasons[] = {{EndReason::kEnded, 'e'},
                                                   {EndReason::kExpired, 'x'},
                                                   {EndReason::kEvicted, 'v'},
                                                   {EndReason::kPurged, 'p'}};
// Behind all else of one that was denied; to older boxes it was purged.
constexpr char kWasDenied = 'o';

std::string write_gone(const UserState::Gone& gone) {
  const GoneRow& row = gone.row;
  ValueWriter value;
  for (const auto& [reason, letter] : kReasons) {
    if (row.reason == reason) value.letter(letter);
  }
  if (row.reason == EndReason::kDenied) value.letter('p');
  value.letter(gone.far ? '+' : '-');
  value.number(millis(row.at)).number(row.ttl.count()).number(row.row).number(row.start);
  if (row.by) {
    value.text('b', row.by->session).text('d', row.by->device);
    if (row.by->same_address) value.letter('a');
  }
  value.text('m', row.message);
  if (row.reason == EndReason::kDenied) value.letter(kWasDenied);
  return std::move(value).with(gone.rest);
}

bool read_gone(std::string_view text, Instant now, UserState::Gone& into) {
  ValueReader value(text);
  GoneRow& row = into.row;
  const char letter = value.letter();
  const auto* const known =
      std::ranges::find(kReasons, letter, [](auto& each) { return each.second; });
  if (known == std::end(kReasons)) return false;
  row.reason = known->first;
  into.far = value.letter() == '+';
  row.at = std::min(value.instant(), now);
  row.ttl = Millis(value.number<std::int64_t>(kMinLease.count(), kMaxLease.count()));
  row.row = value.number<std::int64_t>(0, kLatest);
  row.start = value.number<std::uint32_t>(0, UINT32_MAX);
  EvictedBy by{value.text('b'), value.text('d'), value.flag('a')};
  row.message = value.text('m');
  if (value.flag(kWasDenied) && row.reason == EndReason::kPurged) row.reason = EndReason::kDenied;
  if (value.failed()) return false;
  if (!check_message(row.message)) row.message.clear();
  if (row.reason == EndReason::kEvicted) row.by = std::make_unique<EvictedBy>(std::move(by));
  into.rest = value.rest();
  return true;
}

// --- marks, names, the throttle, what operators set ---

std::string mark_name(const HoldOffRow& row) {
  ValueWriter name;
  std::string text = std::move(name.number(row.id))
                         .with(std::to_string(row.mark ? static_cast<int>(*row.mark) : 0));
  text.front() = 'h';
  return text;
}

std::string write_mark(const HoldOffRow& row) {
  ValueWriter value;
  value.number(row.mark ? static_cast<std::int64_t>(*row.mark) : 0).number(millis(row.since));
  value.text('s', row.session).text('d', row.device).text('a', row.address);
  return std::move(value).with({});
}

bool read_mark(std::string_view name, std::string_view text, Instant now, HoldOffRow& row) {
  std::string number(name);
  number.front() = ValueWriter::kForm;
  row.id = ValueReader(number).number<std::int64_t>(0, kLatest);
  ValueReader value(text);
  const auto mark = value.number<std::int64_t>(0, static_cast<std::int64_t>(Mark::kFoughtOver));
  if (mark > 0) row.mark = static_cast<Mark>(mark);
  row.since = std::min(value.instant(), now);
  row.session = value.text('s');
  row.device = value.text('d');
  row.address = value.text('a');
  return !value.failed() && value.at_end();
}

std::string write_replaced(const std::vector<ReplacedNames::One>& replaced) {
  ValueWriter value;
  const std::size_t first = replaced.size() - std::min(replaced.size(), kMaxReplaced);
  for (std::size_t i = first; i < replaced.size(); ++i) {
    value.bytes(replaced[i].hash).number(millis(replaced[i].since));
  }
  return std::move(value).with({});
}

bool read_replaced(std::string_view text, Instant now, std::vector<ReplacedNames::One>& into) {
  ValueReader value(text);
  while (!value.failed() && !value.at_end() && into.size() < kMaxReplaced) {
    const auto hash = value.number<std::uint64_t>(0, UINT64_MAX);
    into.push_back({hash, std::min(value.instant(), now)});
  }
  if (value.failed()) into.clear();
  return !value.failed();
}

std::string write_block(const Block& block) {
  ValueWriter value;
  value.number(millis(block.since)).number(block.length ? block.length->count() : -1);
  return std::move(value).with(block.message);
}

bool read_block(std::string_view text, Instant now, std::optional<Block>& into) {
  ValueReader value(text);
  Block block;
  block.since = std::min(value.instant(), now);
  const auto length = value.number<std::int64_t>(-1, kMaxBlock.count());
  if (value.failed() || !check_message(value.rest())) return false;
  if (length >= 0) block.length = Millis(length);
  block.message = value.rest();
  into = std::move(block);
  return true;
}

std::string write_set(const UserState& state) {
  const LimitRow& rule = state.rule;
  ValueWriter value;
  value.number(rule.limit ? static_cast<std::int64_t>(*rule.limit) : -1);
  value.number(rule.on_limit ? static_cast<std::int64_t>(*rule.on_limit) : -1);
  value.text('p', rule.plan).text('n', rule.numbers.to_text());
  if (state.block) value.text('b', write_block(*state.block));
  return std::move(value).with(state.set_rest);
}

bool read_set(std::string_view text, Instant now, UserState& state) {
  LimitRow& rule = state.rule;
  ValueReader value(text);
  const auto limit = value.number<std::int64_t>(-1, kMaxLimit);
  const auto on_limit =
      value.number<std::int64_t>(-1, static_cast<std::int64_t>(OnLimit::kEvictNewest));
  std::string plan = value.text('p');
  const auto numbers = RuleNumbers::parse(value.text('n'));
  const std::string block = value.text('b');
  if (value.failed() || !numbers) return false;
  if (!plan.empty() && !Id::parse("plan", plan)) return false;
  if (!block.empty() && !read_block(block, now, state.block)) return false;
  state.set_rest = value.rest();
  if (limit >= 0) rule.limit = static_cast<std::uint32_t>(limit);
  if (on_limit >= 0) rule.on_limit = static_cast<OnLimit>(on_limit);
  rule.plan = std::move(plan);
  rule.numbers = *numbers;
  return true;
}

// Of a session that could not be read; starts have larger ones.
constexpr std::int64_t kUnreadId = 1;

bool stands_for_unread(const engine::Field& row) {
  UserState::Session session;
  return row.value && read_row(*row.value, session) && session.row.id == kUnreadId;
}

constexpr std::chrono::nanoseconds kMostDue = std::chrono::minutes(1);

std::string write_due(std::chrono::nanoseconds due) {
  ValueWriter value;
  value.number(due.count());
  return std::move(value).with({});
}

bool read_due(std::string_view text, Instant now, UserState& state) {
  ValueReader value(text);
  const std::chrono::nanoseconds due{value.number<std::int64_t>(0, INT64_MAX)};
  if (value.failed() || !value.at_end()) return false;
  if (due > now.time_since_epoch()) {
    state.starts_due = std::min<std::chrono::nanoseconds>(due, now.time_since_epoch() + kMostDue);
  }
  return true;
}

std::string write_no_overlap(Instant until) {
  ValueWriter value;
  value.number(millis(until));
  return std::move(value).with({});
}

bool read_no_overlap(std::string_view text, Instant now, UserState& state) {
  ValueReader value(text);
  const Instant until = value.instant();
  if (value.failed() || !value.at_end()) return false;
  if (until > now) state.no_overlap_until = std::min(until, now + kOverlapPause * kMaxOverlap);
  return true;
}

}  // namespace

// --- fields ---

void sort_fields(UserFields& fields) {
  std::ranges::sort(fields, {}, &engine::Field::name);
  const auto same = std::ranges::unique(fields, {}, &engine::Field::name);
  fields.erase(same.begin(), same.end());
}

const std::string* value_of(const UserFields& fields, std::string_view name) {
  const auto found = std::ranges::lower_bound(
      fields, name, {}, [](const engine::Field& each) -> std::string_view { return each.name; });
  return found == fields.end() || found->name != name || !found->value ? nullptr : &*found->value;
}

void apply_change(UserFields& fields, UserFields change) {
  for (engine::Field& each : change) {
    const auto at = std::ranges::lower_bound(fields, each.name, {}, &engine::Field::name);
    const bool known = at != fields.end() && at->name == each.name;
    if (!each.value) {
      if (known) fields.erase(at);
    } else if (known) {
      at->value = std::move(each.value);
    } else {
      fields.insert(at, std::move(each));
    }
  }
}

UserFields difference(const UserFields& before, const UserFields& after, const ReadUser& read) {
  UserFields changes;
  const auto is_unread = [&read](const std::string& name) {
    return std::ranges::binary_search(read.unread, name);
  };
  const auto is_unread_session = [&read](const std::string& name) {
    return name.starts_with('s') &&
           std::ranges::find(read.unread_sessions, std::string_view(name).substr(1)) !=
               read.unread_sessions.end();
  };
  const auto stays = [&](const std::string& name) {
    return name == "v" || (is_unread(name) && !is_unread_session(name));
  };
  auto old = before.begin();
  auto next = after.begin();
  while (old != before.end() || next != after.end()) {
    const int order = old == before.end()   ? 1
                      : next == after.end() ? -1
                                            : old->name.compare(next->name);
    if (order < 0) {
      if (!stays(old->name)) changes.push_back({old->name, std::nullopt});
      ++old;
    } else if (order > 0) {
      changes.push_back(*next++);
    } else {
      const bool is_kept = is_unread_session(old->name) && stands_for_unread(*next);
      if (old->value != next->value && !is_kept) changes.push_back(*next);
      ++old;
      ++next;
    }
  }
  return changes;
}

// --- users ---

ReadUser read_user(std::string_view user, const UserFields& fields, Instant now) {
  ReadUser read;
  read.state.user = user;
  for (const engine::Field& field : fields) {
    if (!field.value) continue;
    if (field.name.empty()) {
      read.unread.emplace_back();
      continue;
    }
    const std::string& value = *field.value;
    const std::string_view name = std::string_view(field.name).substr(1);
    bool known = false;
    switch (field.name.front()) {
      case 'v':
        known = name.empty();
        if (known) read.version = value;
        break;
      case 's': {
        // Its lease is not its own to read: it stands elsewhere.
        UserState::Session session;
        const std::string* const lease = value_of(fields, "l" + std::string(name));
        if (!Id::parse("session", name) || lease == nullptr || !read_lease(*lease, now, session)) {
          break;
        }
        known = read_row(value, session);
        if (!known) {
          session.row.id = kUnreadId;
          session.row.started = std::min(session.row.last_seen, now);
          session.row.ttl =
              std::clamp(session.row.expires - session.row.last_seen, kMinLease, kMaxLease);
          read.unread_sessions.emplace_back(name);
        }
        session.row.session = name;
        // Boxes know the engine's clock to a round trip or two.
        session.row.expires =
            std::min(session.row.expires, now + session.row.ttl + kClockUncertainty);
        read.state.sessions.push_back(std::move(session));
        break;
      }
      case 'l':
        known = value_of(fields, "s" + std::string(name)) != nullptr;
        break;
      case 'g': {
        UserState::Gone gone;
        known = Id::parse("session", name).has_value() && read_gone(value, now, gone);
        gone.row.session = name;
        if (known) read.state.gone.push_back(std::move(gone));
        break;
      }
      case 'h': {
        HoldOffRow row;
        known = read_mark(field.name, value, now, row);
        if (known) read.state.marks.push_back(std::move(row));
        break;
      }
      case 'n':
        known = name.empty() && read_replaced(value, now, read.state.replaced);
        break;
      case 'w':
        known = name.empty() && read_due(value, now, read.state);
        break;
      case 'o':
        known = name.empty() && read_no_overlap(value, now, read.state);
        break;
      case 'r':
        known = name.empty() && read_set(value, now, read.state);
        break;
      default:
        break;
    }
    if (!known) read.unread.push_back(field.name);
  }
  std::ranges::sort(read.unread);
  UserState& state = read.state;
  // Numbers go by time, and follow the order in which the starts were committed.
  std::ranges::sort(state.sessions, {}, [](const auto& each) { return each.row.id; });
  std::erase_if(state.gone, [&state](const auto& gone) {
    return std::ranges::any_of(state.sessions, [&gone](const auto& session) {
      return session.row.session == gone.row.session;
    });
  });
  std::ranges::sort(state.gone, {}, [](const auto& each) { return each.row.at; });
  std::ranges::sort(state.marks, {}, &HoldOffRow::since);
  std::ranges::sort(state.replaced, {}, &ReplacedNames::One::since);
  return read;
}

void bound_leases(UserState& state, Millis longest, Instant now) {
  for (UserState::Session& each : state.sessions) {
    Row& row = each.row;
    const Instant by_sign_of_life = std::min(row.last_seen, now) + row.ttl;
    row.expires =
        std::min(std::max(row.expires, by_sign_of_life), latest_end(longest, row.started));
  }
}

UserFields write_user(const UserState& state) {
  UserFields fields;
  fields.reserve(2 * state.sessions.size() + state.gone.size() + state.marks.size() + 5);
  for (const UserState::Session& each : state.sessions) {
    fields.push_back({"s" + each.row.session, write_row(each)});
    fields.push_back({"l" + each.row.session, write_lease(each)});
  }
  for (const UserState::Gone& each : state.gone) {
    fields.push_back({"g" + each.row.session, write_gone(each)});
  }
  for (const HoldOffRow& each : state.marks) fields.push_back({mark_name(each), write_mark(each)});
  if (!state.replaced.empty()) fields.push_back({"n", write_replaced(state.replaced)});
  if (state.starts_due) fields.push_back({"w", write_due(*state.starts_due)});
  if (state.no_overlap_until) fields.push_back({"o", write_no_overlap(*state.no_overlap_until)});
  if (!state.rule.empty() || state.block || !state.set_rest.empty()) {
    fields.push_back({"r", write_set(state)});
  }
  sort_fields(fields);
  return fields;
}

}  // namespace concur
