// What a store runs.
#include "base/text.hpp"
#include "store/schema.hpp"
#include "store/store.hpp"

#include <utility>

namespace concur {

namespace {

// The transaction of a statement that fails is given up as a whole, so that it need not undo itself
// (OR FAIL): to be able to, SQLite would keep a copy of each page that it changes.
std::string insert_of(std::size_t rows) {
  std::string sql =
      "INSERT OR FAIL INTO sessions(id, user, session, started_at, last_seen_at, expires_at, ttl, "
      "clock_offset, boot, device, ip, content, meta) VALUES ";
  for (std::size_t i = 0; i < rows; ++i) {
    sql += i == 0 ? "(" : ", (";
    sql += "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
  }
  return sql;
}

}  // namespace

Result<Store::Statements> Store::prepare(Sqlite& db) {
  std::optional<Error> failed;
  const auto one = [&](std::string_view sql) -> Statement {
    auto statement = db.prepare(sql);
    if (statement) return std::move(*statement);
    failed = statement.error();
    return Statement();
  };
  Statements all{
      .begin = one("BEGIN IMMEDIATE"),
      .commit = one("COMMIT"),
      .rollback = one("ROLLBACK"),
      .insert = one(insert_of(1)),
      .insert_many = one(insert_of(kMany)),
      .set_start = one("UPDATE sessions SET start = ?2, fleet_start = ?3 WHERE id = ?1"),
      .save =
          one("UPDATE sessions SET started_at = ?2, last_seen_at = ?3, expires_at = ?4, ttl = ?5, "
              "clock_offset = ?6, boot = ?7, start = ?8 WHERE id = ?1"),
      .set_overlap = one("UPDATE sessions SET overlap = ?2, overlap_limit = ?3 WHERE id = ?1"),
      .describe = one("UPDATE sessions SET ip = ?2, content = ?3, meta = ?4 WHERE id = ?1"),
      .remove = one("DELETE FROM sessions WHERE id = ?"),
      .put_hold_off = one(
          "INSERT OR REPLACE INTO hold_offs(id, user, session, device, since, clock_offset, boot, "
          "address, mark) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"),
      .drop_hold_off = one("DELETE FROM hold_offs WHERE id = ?"),
      .put_gone = one(
          "INSERT OR REPLACE INTO gone(id, user, session, reason, by_session, by_device, at, ttl, "
          "clock_offset, boot, message) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
      .drop_gone = one("DELETE FROM gone WHERE id BETWEEN ? AND ?"),
      .put_limit = one(
          "INSERT OR REPLACE INTO limits(user, max_sessions, plan, on_limit) VALUES (?, ?, ?, ?)"),
      .drop_limit = one("DELETE FROM limits WHERE user = ?"),
      .put_plan =
          one("INSERT OR REPLACE INTO plans(plan, max_sessions, on_limit) VALUES (?, ?, ?)"),
      .drop_plan = one("DELETE FROM plans WHERE plan = ?"),
      .put_number = one("INSERT INTO rule_numbers(of, name, rule, max) VALUES (?, ?, ?, ?)"),
      .drop_numbers = one("DELETE FROM rule_numbers WHERE of = ? AND name = ?"),
      .put_block =
          one("INSERT OR REPLACE INTO blocks(user, since, length, message, clock_offset, boot) "
              "VALUES (?, ?, ?, ?, ?, ?)"),
      .drop_block = one("DELETE FROM blocks WHERE user = ?"),
      .add_part =
          one("INSERT INTO history_parts(hour, user, starts, denials, evictions, peak, attempted, "
              "excess, devices, addresses, conflicts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
      .add_rule_denials =
          one("INSERT INTO rule_denials(hour, user, rule, denials) VALUES (?, ?, ?, ?) "
              "ON CONFLICT DO UPDATE SET "
              "denials = min(max(denials, 0), 1 << 53) + excluded.denials"),
      .put_box = one("INSERT INTO box(identity) VALUES (?)"),
      .first_part = one("SELECT min(id) FROM history_parts"),
      // In the order of the key, for neighbours share a page. A tampered row counts for what it
      // can.
      .fold = one(
          "INSERT INTO history(hour, user, starts, denials, evictions, peak, attempted, excess, "
          "devices, addresses, conflicts) SELECT hour, user, min(max(starts, 0), 1 << 53), "
          "min(max(denials, 0), 1 << 53), min(max(evictions, 0), 1 << 53), peak, attempted, "
          "excess, devices, addresses, min(max(conflicts, 0), 1 << 53) FROM history_parts "
          "WHERE id <= ? ORDER BY hour, user "
          "ON CONFLICT(hour, user) DO UPDATE SET "
          "starts = min(max(starts, 0), 1 << 53) + excluded.starts, "
          "denials = min(max(denials, 0), 1 << 53) + excluded.denials, "
          "evictions = min(max(evictions, 0), 1 << 53) + excluded.evictions, "
          "conflicts = min(max(conflicts, 0), 1 << 53) + excluded.conflicts, "
          "peak = max(peak, excluded.peak), attempted = max(attempted, excluded.attempted), "
          "excess = max(excess, excluded.excess), "
          "devices = merge_distinct(devices, excluded.devices), "
          "addresses = merge_distinct(addresses, excluded.addresses)"),
      .drop_parts = one("DELETE FROM history_parts WHERE id <= ?"),
      // The oldest hour's users in order, up to the 500th: a range of the key, for the price of
      // what goes.
      .trim_history =
          one("DELETE FROM history WHERE hour = (SELECT min(hour) FROM history WHERE hour < ?1) "
              "AND user <= coalesce((SELECT user FROM history "
              "WHERE hour = (SELECT min(hour) FROM history WHERE hour < ?1) "
              "ORDER BY user LIMIT 1 OFFSET 499), (SELECT max(user) FROM history "
              "WHERE hour = (SELECT min(hour) FROM history WHERE hour < ?1)))"),
      .trim_rule_denials =
          one("DELETE FROM rule_denials WHERE (hour, user, rule) IN (SELECT hour, user, rule "
              "FROM rule_denials WHERE hour < ? ORDER BY hour, user, rule LIMIT 500)"),
      .touch = one(text::format("PRAGMA user_version = {}", newest_schema())),
      .pages = one("PRAGMA page_count"),
      .free_pages = one("PRAGMA freelist_count"),
  };
  if (failed) return *failed;
  return all;
}

}  // namespace concur
