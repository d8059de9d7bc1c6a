// How a store writes; how it is opened and read is in store_open.cpp, its statements are in
// store_statements.cpp.
#include "store/store.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <utility>

namespace concur {

namespace {

std::int64_t millis(Instant at, Millis offset) { return (at.time_since_epoch() + offset).count(); }

void bind_optional(Statement& to, int at, std::string_view text) {
  if (text.empty()) {
    to.bind_null(at);
  } else {
    to.bind(at, text);
  }
}

void bind_optional(Statement& to, int at, std::optional<OnLimit> on_limit) {
  bind_optional(to, at, on_limit ? word_of(*on_limit) : std::string_view());
}

// Nothing is known of it but what a new session has.
bool is_new_session(const Change& change) {
  const auto* insert = std::get_if<Insert>(&change);
  return insert != nullptr && insert->row.start == 0 && insert->row.fleet_id == 0 &&
         !insert->row.overlap;
}

// How many of the first changes start sessions; looks no further than `most`.
std::size_t count_inserts(std::span<const Change> changes, std::size_t most) {
  const auto first = changes.first(std::min(most, changes.size()));
  const auto other = std::ranges::find_if_not(first, is_new_session);
  return static_cast<std::size_t>(other - first.begin());
}

// A statement's only value; nullopt where it is none or cannot be read.
std::optional<std::int64_t> read(Statement& statement) {
  const auto row = statement.step();
  std::optional<std::int64_t> value;
  if (row && *row && !statement.is_null(0)) value = statement.integer(0);
  statement.reset();
  return value;
}

}  // namespace

Result<void> Store::in_transaction(const std::function<Result<void>()>& work) {
  if (const auto begun = statements_.begin.run(); !begun) {
    failed_with_ = sqlite3_errcode(db_.handle());
    return begun.error();
  }
  Result<void> done = work();
  if (done) done = statements_.commit.run();
  if (done) return {};
  failed_with_ = sqlite3_errcode(db_.handle());
  // Some failures end the transaction by themselves; then there is nothing to roll back.
  if (sqlite3_get_autocommit(db_.handle()) == 0) static_cast<void>(statements_.rollback.run());
  return done.error();
}

Result<void> Store::commit(std::span<const Change> changes, Millis offset) {
  if (files_ && !files_hold(changes.empty())) {
    if (auto restored = restore_files(); !restored) return restored;
  }
  unreadable_ = false;
  auto done = in_transaction([&] { return write(changes, offset); });
  if (!done) advice_ = advice_for(failed_with_);
  return done;
}

Result<void> Store::write(std::span<const Change> changes, Millis offset) {
  if (changes.empty()) return statements_.touch.run();
  while (!changes.empty()) {
    const bool many = count_inserts(changes, kMany) == kMany;
    const std::size_t taken = many ? kMany : 1;
    const auto done =
        many ? write_many(changes.first(kMany), offset)
             : std::visit([&](const auto& c) { return write(c, offset); }, changes.front());
    if (!done) return done.error();
    changes = changes.subspan(taken);
  }
  return {};
}

Result<void> Store::write_many(std::span<const Change> inserts, Millis offset) {
  int next = 1;
  for (const Change& each : inserts) {
    next = bind(statements_.insert_many, next, std::get<Insert>(each).row, offset);
  }
  return statements_.insert_many.run();
}

Result<void> Store::write(const Insert& insert, Millis offset) {
  bind(statements_.insert, 1, insert.row, offset);
  auto done = statements_.insert.run();
  if (done && insert.row.overlap) done = write(SetOverlap{insert.row.id, *insert.row.overlap}, {});
  if (!done || (insert.row.start == 0 && insert.row.fleet_id == 0)) return done;
  Statement& more = statements_.set_start;
  more.bind(1, insert.row.id);
  more.bind(2, std::int64_t{insert.row.start});
  more.bind(3, insert.row.fleet_id);
  return more.run();
}

// From the question mark `first` on; says which comes next.
int Store::bind(Statement& to, int first, const Row& row, Millis offset) const {
  int at = first;
  to.bind(at++, row.id);
  to.bind(at++, row.user);
  to.bind(at++, row.session);
  to.bind(at++, millis(row.started, offset));
  to.bind(at++, millis(row.last_seen, offset));
  to.bind(at++, millis(row.expires, offset));
  to.bind(at++, row.ttl.count());
  to.bind(at++, offset.count());
  to.bind(at++, boot_);
  static const Details kNothing;
  const Details& details = row.details ? *row.details : kNothing;
  for (const std::string* text : {&details.device, &details.ip, &details.content, &details.meta}) {
    bind_optional(to, at++, *text);
  }
  return at;
}

Result<void> Store::write(const Save& save, Millis offset) {
  Statement& to = statements_.save;
  to.bind(1, save.id);
  to.bind(2, millis(save.started, offset));
  to.bind(3, millis(save.last_seen, offset));
  to.bind(4, millis(save.expires, offset));
  to.bind(5, save.ttl.count());
  to.bind(6, offset.count());
  to.bind(7, boot_);
  to.bind(8, std::int64_t{save.start});
  return to.run();
}

Result<void> Store::write(const Describe& describe, Millis /*offset*/) {
  Statement& to = statements_.describe;
  to.bind(1, describe.id);
  bind_optional(to, 2, describe.ip);
  bind_optional(to, 3, describe.content);
  bind_optional(to, 4, describe.meta);
  return to.run();
}

Result<void> Store::write(const SetOverlap& set, Millis /*offset*/) {
  Statement& to = statements_.set_overlap;
  to.bind(1, set.id);
  const Overlap overlap = set.overlap.value_or(Overlap());
  to.bind(2, overlap.length.count());
  to.bind(3, overlap.limit ? std::int64_t{*overlap.limit} + 1 : 0);
  return to.run();
}

Result<void> Store::write(const Remove& remove, Millis /*offset*/) {
  statements_.remove.bind(1, remove.id);
  return statements_.remove.run();
}

Result<void> Store::write(const PutHoldOff& put, Millis offset) {
  Statement& to = statements_.put_hold_off;
  to.bind(1, put.row.id);
  to.bind(2, put.row.user);
  to.bind(3, put.row.session);
  bind_optional(to, 4, put.row.device);
  to.bind(5, millis(put.row.since, offset));
  to.bind(6, offset.count());
  to.bind(7, boot_);
  bind_optional(to, 8, put.row.address);
  if (put.row.mark) {
    to.bind(9, static_cast<std::int64_t>(*put.row.mark));
  } else {
    to.bind_null(9);
  }
  return to.run();
}

Result<void> Store::write(const DropHoldOff& drop, Millis /*offset*/) {
  statements_.drop_hold_off.bind(1, drop.id);
  return statements_.drop_hold_off.run();
}

Result<void> Store::write(const PutGone& put, Millis offset) {
  static const EvictedBy kNobody;
  const GoneRow& row = put.row;
  const EvictedBy& by = row.by ? *row.by : kNobody;
  Statement& to = statements_.put_gone;
  to.bind(1, row.id);
  to.bind(2, row.user);
  to.bind(3, row.session);
  to.bind(4, stored_word_of(row.reason));
  bind_optional(to, 5, by.session);
  bind_optional(to, 6, by.device);
  to.bind(7, millis(row.at, offset));
  to.bind(8, row.ttl.count());
  to.bind(9, offset.count());
  to.bind(10, boot_);
  bind_optional(to, 11, row.message);
  return to.run();
}

Result<void> Store::write(const DropGone& drop, Millis /*offset*/) {
  statements_.drop_gone.bind(1, drop.first);
  statements_.drop_gone.bind(2, drop.last);
  return statements_.drop_gone.run();
}

Result<void> Store::write(const PutLimit& put, Millis /*offset*/) {
  if (auto done = write_numbers("user", put.row.user, put.row.numbers); !done) return done;
  if (put.row.empty()) {
    statements_.drop_limit.bind(1, put.row.user);
    return statements_.drop_limit.run();
  }
  Statement& to = statements_.put_limit;
  to.bind(1, put.row.user);
  if (put.row.limit) {
    to.bind(2, std::int64_t{*put.row.limit});
  } else {
    to.bind_null(2);
  }
  bind_optional(to, 3, put.row.plan);
  bind_optional(to, 4, put.row.on_limit);
  return to.run();
}

Result<void> Store::write(const PutPlan& put, Millis /*offset*/) {
  Statement& to = statements_.put_plan;
  to.bind(1, put.row.plan);
  to.bind(2, std::int64_t{put.row.limit});
  bind_optional(to, 3, put.row.on_limit);
  if (auto done = to.run(); !done) return done;
  return write_numbers("plan", put.row.plan, put.row.numbers);
}

Result<void> Store::write_numbers(std::string_view of, std::string_view name,
                                  const RuleNumbers& numbers) {
  statements_.drop_numbers.bind(1, of);
  statements_.drop_numbers.bind(2, name);
  if (auto done = statements_.drop_numbers.run(); !done) return done;
  for (const auto& [rule, max] : numbers.all()) {
    Statement& to = statements_.put_number;
    to.bind(1, of);
    to.bind(2, name);
    to.bind(3, rule);
    to.bind(4, std::int64_t{max});
    if (auto done = to.run(); !done) return done;
  }
  return {};
}

Result<void> Store::write(const DropPlan& drop, Millis /*offset*/) {
  if (auto done = write_numbers("plan", drop.plan, {}); !done) return done;
  statements_.drop_plan.bind(1, drop.plan);
  return statements_.drop_plan.run();
}

Result<void> Store::write(const PutBlock& put, Millis offset) {
  const Block& block = put.row.block;
  Statement& to = statements_.put_block;
  to.bind(1, put.row.user);
  to.bind(2, millis(block.since, offset));
  if (block.length) {
    to.bind(3, block.length->count());
  } else {
    to.bind_null(3);
  }
  bind_optional(to, 4, block.message);
  to.bind(5, offset.count());
  to.bind(6, boot_);
  return to.run();
}

Result<void> Store::write(const DropBlock& drop, Millis /*offset*/) {
  statements_.drop_block.bind(1, drop.user);
  return statements_.drop_block.run();
}

Result<void> Store::write(const AddUsage& add, Millis /*offset*/) {
  const Usage& usage = add.usage;
  const std::string devices = usage.devices.bytes();
  const std::string addresses = usage.addresses.bytes();
  Statement& to = statements_.add_part;
  to.bind(1, usage.hour);
  to.bind(2, add.user);
  int at = 3;
  for (const std::uint32_t count :
       {usage.starts, usage.denials, usage.evictions, usage.peak, usage.attempted, usage.excess}) {
    to.bind(at++, std::int64_t{count});
  }
  to.bind_blob(at++, devices);
  to.bind_blob(at++, addresses);
  to.bind(at, std::int64_t{usage.conflicts});
  ++parts_;
  if (auto done = to.run(); !done) return done;
  for (const auto& [rule, denials] : usage.by_rule.all()) {
    Statement& by_rule = statements_.add_rule_denials;
    by_rule.bind(1, usage.hour);
    by_rule.bind(2, add.user);
    by_rule.bind(3, rule);
    by_rule.bind(4, std::int64_t{denials});
    if (auto done = by_rule.run(); !done) return done;
  }
  return {};
}

Result<void> Store::write(const PutBox& put, Millis /*offset*/) {
  statements_.put_box.bind(1, put.identity);
  return statements_.put_box.run();
}

// A few at a time, for a commit may wait for it. Where too many wait, it pays to hold the commits
// up now and then: of many at once several share a page.
bool Store::fold_usage() {
  constexpr std::int64_t kAtOnce = 32;
  constexpr std::int64_t kWhenBehind = 16'384;
  const auto first = read(statements_.first_part);
  if (!first) {
    parts_ = 0;
    return false;
  }
  const std::int64_t more =
      (has_backlog() ? std::max(kWhenBehind, parts_ - kMaxParts) : kAtOnce) - 1;
  const std::int64_t last = *first + std::min(more, INT64_MAX - std::max<std::int64_t>(*first, 0));
  const auto done = in_transaction([&]() -> Result<void> {
    statements_.fold.bind(1, last);
    statements_.drop_parts.bind(1, last);
    if (auto added = statements_.fold.run(); !added) return added;
    return statements_.drop_parts.run();
  });
  if (done) parts_ -= sqlite3_changes(db_.handle());
  return done.has_value();
}

bool Store::trim_history(std::int64_t oldest_hour) {
  statements_.trim_history.bind(1, oldest_hour);
  if (statements_.trim_history.run() && sqlite3_changes(db_.handle()) > 0) return true;
  statements_.trim_rule_denials.bind(1, oldest_hour);
  return statements_.trim_rule_denials.run() && sqlite3_changes(db_.handle()) > 0;
}

bool Store::give_back_space() {
  constexpr std::int64_t kWorthwhile = 2048;
  const std::int64_t free = read(statements_.free_pages).value_or(0);
  if (free < kWorthwhile || free < read(statements_.pages).value_or(0) / 2) return false;
  return db_.exec("PRAGMA incremental_vacuum(256)").has_value();
}

}  // namespace concur
