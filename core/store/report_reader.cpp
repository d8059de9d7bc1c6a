#include "store/report_reader.hpp"

#include "rules/rule.hpp"
#include "store/record_sql.hpp"
#include "store/schema.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace concur {

namespace {

// Each user's hours: what was added up, and the parts that were not yet. A part's excess is the
// most of its time, so that an hour's is the most of its parts'.
constexpr const char* kRecord = R"(
    CREATE TEMP VIEW record AS
      SELECT hour, user, starts, denials, evictions, peak, attempted, excess, devices, addresses,
             conflicts
      FROM history
      UNION ALL
      SELECT hour, user, starts, denials, evictions, peak, attempted, excess, devices, addresses,
             conflicts
      FROM history_parts)";

// A sum is NULL over no rows, and a tampered row may hold a negative number.
std::uint64_t count_at(const Statement& row, int column) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, row.integer(column)));
}

UsageReport read_figures(const Statement& row) {
  return {row.text(0),      row.integer(1),   count_at(row, 2), count_at(row, 3),
          count_at(row, 4), count_at(row, 5), count_at(row, 6), count_at(row, 7),
          count_at(row, 8), count_at(row, 9), count_at(row, 10)};
}

Result<void> read_all(Statement& rows, std::vector<UsageReport>& into) {
  while (true) {
    const auto more = rows.step();
    if (!more) return more.error();
    if (!*more) return {};
    into.push_back(read_figures(rows));
  }
}

}  // namespace

struct ReportReader::Passes {
  static constexpr std::int64_t kAll = 3;

  void begin(std::int64_t from, std::int64_t to, const ReportWork& to_report) {
    first = from;
    last = std::max(from, to);
    report = to_report;
  }

  // passed(pass, hour): true for each row, and says where the reading is.
  static void passed(sqlite3_context* context, int /*count*/, sqlite3_value** values) {
    auto& passes = *static_cast<Passes*>(sqlite3_user_data(context));
    sqlite3_result_int(context, 1);
    const std::int64_t hour = sqlite3_value_int64(values[1]);
    if (hour == std::exchange(passes.hour, hour) || !passes.report) return;
    const std::int64_t hours = passes.last - passes.first + 1;
    const std::int64_t done = std::clamp<std::int64_t>(hour - passes.first, 0, hours);
    passes.report(
        {.what = "reading the record",
         .unit = "hours",
         .done = static_cast<std::uint64_t>(sqlite3_value_int64(values[0]) * hours + done),
         .total = static_cast<std::uint64_t>(kAll * hours)});
  }

  std::int64_t first = 0;
  std::int64_t last = 0;
  std::int64_t hour = -1;
  ReportWork report;
};

void ReportReader::DeletePasses::operator()(Passes* passes) const { delete passes; }

Result<ReportReader> ReportReader::open(const std::string& path) {
  auto db = Sqlite::open_existing(path);
  if (!db) return db.error();
  return make_ready(std::move(*db));
}

Result<ReportReader> ReportReader::of(const std::vector<AddUsage>& record) {
  auto db = Sqlite::open(":memory:");
  if (!db) return db.error();
  if (const auto made = migrate(*db); !made) return made.error();
  if (const auto begun = db->exec("BEGIN"); !begun) return begun.error();
  auto insert = db->prepare(
      "INSERT INTO history(hour, user, starts, denials, evictions, peak, attempted, excess, "
      "devices, addresses, conflicts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  if (!insert) return insert.error();
  auto by_rule =
      db->prepare("INSERT INTO rule_denials(hour, user, rule, denials) VALUES (?, ?, ?, ?)");
  if (!by_rule) return by_rule.error();
  for (const AddUsage& each : record) {
    const Usage& usage = each.usage;
    const std::string devices = usage.devices.bytes();
    const std::string addresses = usage.addresses.bytes();
    insert->bind(1, usage.hour);
    insert->bind(2, each.user);
    int at = 3;
    for (const std::uint32_t count : {usage.starts, usage.denials, usage.evictions, usage.peak,
                                      usage.attempted, usage.excess}) {
      insert->bind(at++, std::int64_t{count});
    }
    insert->bind_blob(at++, devices);
    insert->bind_blob(at++, addresses);
    insert->bind(at, std::int64_t{usage.conflicts});
    if (const auto done = insert->run(); !done) return done.error();
    for (const auto& [rule, denials] : usage.by_rule.all()) {
      by_rule->bind(1, usage.hour);
      by_rule->bind(2, each.user);
      by_rule->bind(3, rule);
      by_rule->bind(4, std::int64_t{denials});
      if (const auto done = by_rule->run(); !done) return done.error();
    }
  }
  *insert = Statement();
  *by_rule = Statement();
  if (const auto done = db->exec("COMMIT"); !done) return done.error();
  return make_ready(std::move(*db));
}

Result<ReportReader> ReportReader::make_ready(Sqlite db) {
  if (const auto made = db.exec(kRecord); !made) return made.error();
  if (const auto set = db.exec("PRAGMA query_only = ON; PRAGMA busy_timeout = 5000"); !set) {
    return set.error();
  }
  if (const auto added = add_record_functions(db); !added) return added.error();
  OwnPasses passes(new Passes());
  if (sqlite3_create_function_v2(db.handle(), "passed", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
                                 passes.get(), Passes::passed, nullptr, nullptr,
                                 nullptr) != SQLITE_OK) {
    return Error{ErrorKind::kInternal, "its functions cannot be set up"};
  }
  return ReportReader(std::move(passes), std::move(db));
}

Result<Report> ReportReader::read(const ReportQuery& query, std::int64_t first,
                                  const ReportWork& report_work) {
  const auto last = db_.number("SELECT coalesce(max(hour), 0) FROM history");
  passes_->begin(first, last ? *last : first, report_work);
  Report report;
  report.since = WallTime(std::chrono::hours(first));
  // One transaction, so that all parts are of the same moment.
  if (const auto begun = db_.exec("BEGIN"); !begun) return begun.error();
  Result<void> done =
      query.user ? read_hours(*query.user, first, report) : read_users(query, first, report);
  if (done && !query.user) done = read_histogram(query, first, report);
  if (done) done = read_rules(query, first, report);
  const auto ended = db_.exec("ROLLBACK");
  if (!done) return done.error();
  if (!ended) return ended.error();
  return report;
}

Result<void> ReportReader::read_users(const ReportQuery& query, std::int64_t first, Report& into) {
  auto rows = db_.prepare(R"(
      SELECT user, 0, sum(starts), sum(denials), sum(evictions), max(peak), max(attempted),
             sum_of_hours(hour, excess), count_distinct(devices), count_distinct(addresses),
             sum(conflicts)
      FROM record
      WHERE hour >= ?1 AND passed(1, hour) AND user IN (
        SELECT user FROM record
        WHERE hour >= ?1 AND passed(0, hour)
        GROUP BY user
        HAVING max(denials) > 0 OR max(evictions) > 0 OR max(conflicts) > 0
        ORDER BY sum_of_hours(hour, excess) DESC, sum(denials) + sum(evictions) + sum(conflicts) DESC, user
        LIMIT ?2)
      GROUP BY user
      ORDER BY sum_of_hours(hour, excess) DESC, sum(denials) + sum(evictions) + sum(conflicts) DESC, user)");
  if (!rows) return rows.error();
  rows->bind(1, first);
  rows->bind(2, std::int64_t{query.top});
  return read_all(*rows, into.users);
}

// From hour to hour, for the key begins with it; parts that wait are few, or many for a while.
Result<void> ReportReader::read_hours(const std::string& user, std::int64_t first, Report& into) {
  for (const bool by_hour : {true, false}) {
    auto rows = db_.prepare(
        std::string(
            "WITH RECURSIVE hours(at) AS "
            "(SELECT min(hour) FROM history WHERE hour >= ?2 UNION ALL "
            "SELECT (SELECT min(hour) FROM history WHERE hour > at) FROM hours "
            "WHERE at IS NOT NULL), mine AS "
            "(SELECT history.* FROM hours CROSS JOIN history ON hour = at AND user = ?1 "
            "UNION ALL "
            "SELECT hour, user, starts, denials, evictions, peak, attempted, excess, "
            "devices, addresses, conflicts FROM history_parts WHERE user = ?1 AND hour >= ?2) "
            "SELECT user, hour, sum(starts), sum(denials), sum(evictions), max(peak), "
            "max(attempted), sum_of_hours(hour, excess), count_distinct(devices), "
            "count_distinct(addresses), sum(conflicts) FROM mine GROUP BY ") +
        (by_hour ? "hour" : "user"));
    if (!rows) return rows.error();
    rows->bind(1, user);
    rows->bind(2, first);
    if (auto done = read_all(*rows, by_hour ? into.hours : into.users); !done) return done;
  }
  return {};
}

// Few users have any: so all of them are read.
Result<void> ReportReader::read_rules(const ReportQuery& query, std::int64_t first, Report& into) {
  auto rows = db_.prepare(
      "SELECT user, rule, sum(min(max(denials, 0), 1 << 53)) FROM rule_denials "
      "WHERE hour >= ?1 AND (?2 IS NULL OR user = ?2) GROUP BY user, rule");
  if (!rows) return rows.error();
  rows->bind(1, first);
  if (query.user) {
    rows->bind(2, *query.user);
  } else {
    rows->bind_null(2);
  }
  std::unordered_map<std::string_view, UsageReport*> listed;
  for (UsageReport& each : into.users) listed.emplace(each.user, &each);
  while (true) {
    const auto more = rows->step();
    if (!more) return more.error();
    if (!*more) return {};
    const std::uint64_t denials = count_at(*rows, 2);
    const std::string rule = rows->text(1);
    if (!is_rule_name(rule)) continue;
    into.by_rule[rule] += denials;
    const auto user = listed.find(rows->text(0));
    if (user != listed.end()) user->second->by_rule[rule] += denials;
  }
}

Result<void> ReportReader::read_histogram(const ReportQuery& query, std::int64_t first,
                                          Report& into) {
  auto rows = db_.prepare(R"(
      SELECT peak, attempted, count(*)
      FROM (SELECT max(peak) AS peak, max(attempted) AS attempted
            FROM record WHERE hour >= ? AND passed(2, hour) GROUP BY user)
      GROUP BY peak, attempted)");
  if (!rows) return rows.error();
  rows->bind(1, first);
  while (true) {
    const auto more = rows->step();
    if (!more) return more.error();
    if (!*more) return {};
    const std::uint64_t users = count_at(*rows, 2);
    into.reached[count_at(*rows, 0)] += users;
    into.attempted[count_at(*rows, 1)] += users;
    const bool limited = query.what_if_limit && *query.what_if_limit > 0;
    if (limited && count_at(*rows, 1) > *query.what_if_limit) into.would_be_refused += users;
  }
}

}  // namespace concur
