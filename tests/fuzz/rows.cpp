// A database that somebody else wrote: rows with any value of any type in any column. What is taken
// from it is valid, can be worked with and stored, and is the same when it is loaded again; what is
// not taken is counted.
//
// An input is a line a row: the table, then its columns, each behind a '|'. A column is text, or by
// its first byte: '#' an integer, '.' a real, '~' NULL, '!' a blob.
#include "api/answer_json.hpp"
#include "base/text.hpp"
#include "rules/rule.hpp"
#include "session/registry.hpp"
#include "store/report_reader.hpp"
#include "store/schema.hpp"
#include "store/store.hpp"
#include "support/claim.hpp"
#include "support/fuzz_target.hpp"
#include "support/moments.hpp"
#include "support/temp_folder.hpp"

#include <boost/json/parse.hpp>

#include <charconv>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace concur;
using fuzz::claim;
using test::FakeClock;
using test::TempFolder;

namespace {

constexpr std::size_t kMostRows = 64;

template <class T>
T must(Result<T> result) {
  claim(result.has_value(), result ? "" : result.error().message);
  return std::move(*result);
}
void must(const Result<void>& result) {
  claim(result.has_value(), result ? "" : result.error().message);
}

// The names of our tables with none of their types.
constexpr const char* kUntyped =
    "DROP TABLE plans; DROP TABLE limits; DROP TABLE sessions; DROP TABLE hold_offs;"
    "DROP TABLE history; DROP TABLE gone; DROP TABLE blocks; DROP TABLE rule_numbers;"
    "DROP TABLE rule_denials;"
    "CREATE TABLE plans(plan PRIMARY KEY, max_sessions, on_limit);"
    "CREATE TABLE limits(user PRIMARY KEY, max_sessions, plan, on_limit);"
    "CREATE TABLE sessions(id INTEGER PRIMARY KEY, user, session, started_at, last_seen_at, "
    "expires_at, "
    "ttl, clock_offset, boot, device, ip, content, meta, start, "
    "fleet_start, overlap, overlap_limit);"
    "CREATE TABLE hold_offs(id INTEGER PRIMARY KEY, user, session, device, since, clock_offset, "
    "boot, address, mark);"
    "CREATE TABLE gone(id INTEGER PRIMARY KEY, user, session, reason, by_session, by_device, at, "
    "ttl, clock_offset, boot, message);"
    "CREATE TABLE blocks(user PRIMARY KEY, since, length, message, clock_offset, boot);"
    "CREATE TABLE rule_numbers(of, name, rule, max, PRIMARY KEY(of, name, rule));"
    "CREATE TABLE rule_denials(hour, user, rule, denials, PRIMARY KEY(hour, user, rule));"
    "CREATE TABLE history(hour, user, starts, denials, evictions, peak, attempted, excess, devices,"
    "addresses, PRIMARY KEY(hour, user));";

const std::map<std::string_view, std::pair<std::string, int>> kTables{
    {"plans", {"INSERT OR IGNORE INTO plans VALUES(?,?,?)", 3}},
    {"limits", {"INSERT OR IGNORE INTO limits VALUES(?,?,?,?)", 4}},
    {"sessions", {"INSERT OR IGNORE INTO sessions VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", 17}},
    {"hold_offs", {"INSERT OR IGNORE INTO hold_offs VALUES(?,?,?,?,?,?,?,?,?)", 9}},
    {"gone", {"INSERT OR IGNORE INTO gone VALUES(?,?,?,?,?,?,?,?,?,?,?)", 11}},
    {"blocks", {"INSERT OR IGNORE INTO blocks VALUES(?,?,?,?,?,?)", 6}},
    {"rule_numbers", {"INSERT OR IGNORE INTO rule_numbers VALUES(?,?,?,?)", 4}},
    {"rule_denials", {"INSERT OR IGNORE INTO rule_denials VALUES(?,?,?,?)", 4}},
    {"history", {"INSERT OR IGNORE INTO history VALUES(?,?,?,?,?,?,?,?,?,?)", 10}},
};

std::string_view cut(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return part;
}

// One database for all inputs; its rows are each input's own.
class HostileDatabase {
 public:
  HostileDatabase() : path_(folder_.file("sessions.db")) {
    // Before its tables are others, as it refuses those.
    store_.emplace(must(Store::open(path_, Durability::kNormal, "boot")));
    writer_.emplace(must(Sqlite::open(path_)));
    must(writer_->exec(kUntyped));
    for (const auto& [name, table] : kTables) {
      sqlite3_stmt* insert = nullptr;
      sqlite3_prepare_v2(writer_->handle(), table.first.c_str(), -1, &insert, nullptr);
      claim(insert != nullptr, "each table takes rows");
      inserts_.emplace(name, insert);
    }
  }

  // Gives the number of rows that load() reads.
  std::int64_t fill(std::string_view input) {
    must(
        writer_->exec("PRAGMA synchronous = OFF; BEGIN; DELETE FROM plans; DELETE FROM limits;"
                      "DELETE FROM sessions; DELETE FROM hold_offs; DELETE FROM gone;"
                      "DELETE FROM history; DELETE FROM blocks; DELETE FROM rule_numbers;"
                      "DELETE FROM rule_denials;"));
    for (std::size_t rows = 0; rows < kMostRows && !input.empty(); ++rows) {
      std::string_view line = cut(input, '\n');
      const auto insert = inserts_.find(cut(line, '|'));
      if (insert != inserts_.end())
        add(insert->second.get(), kTables.at(insert->first).second, line);
    }
    must(writer_->exec("COMMIT"));
    return rows();
  }

  // Those that load() reads.
  std::int64_t rows() {
    return must(
        writer_->number("SELECT (SELECT count(*) FROM plans) + (SELECT count(*) FROM limits) + "
                        "(SELECT count(*) FROM sessions) + (SELECT count(*) FROM hold_offs) + "
                        "(SELECT count(*) FROM gone) + (SELECT count(*) FROM blocks)"));
  }

  Store& store() { return *store_; }
  const std::string& path() const { return path_; }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  using Insert = std::unique_ptr<sqlite3_stmt, Finalize>;

  static void bind(sqlite3_stmt* insert, int at, std::string_view value) {
    const std::string_view rest = value.substr(value.empty() ? 0 : 1);
    const auto size = static_cast<int>(rest.size());
    std::int64_t number = 0;
    switch (value.empty() ? ' ' : value.front()) {
      case '~':
        sqlite3_bind_null(insert, at);
        break;
      case '#':
        std::from_chars(rest.data(), rest.data() + rest.size(), number);
        sqlite3_bind_int64(insert, at, number);
        break;
      case '.':
        sqlite3_bind_double(insert, at, std::strtod(std::string(rest).c_str(), nullptr));
        break;
      case '!':
        sqlite3_bind_blob(insert, at, rest.data(), size, SQLITE_TRANSIENT);
        break;
      default:
        sqlite3_bind_text(insert, at, value.data(), static_cast<int>(value.size()),
                          SQLITE_TRANSIENT);
    }
  }

  // A row that the table cannot hold is passed over: an id that is no integer.
  static void add(sqlite3_stmt* insert, int columns, std::string_view line) {
    for (int at = 1; at <= columns; ++at) bind(insert, at, cut(line, '|'));
    sqlite3_step(insert);
    sqlite3_reset(insert);
  }

  TempFolder folder_;
  std::string path_;
  std::optional<Sqlite> writer_;
  std::optional<Store> store_;
  std::map<std::string_view, Insert> inserts_;
};

// The registry as a daemon has it that was started on the database.
class Fixture {
 public:
  Fixture(HostileDatabase& database, std::int64_t rows) : database_(database) {
    std::uint64_t sessions = 0;
    const auto report = must(database.store().load(now_, [&](StoredRow row) {
      const bool is_session = std::holds_alternative<Row>(row);
      const bool taken = registry_.restore(std::move(row), now_);
      sessions += taken && is_session ? 1 : 0;
      return taken;
    }));
    claim(report.rows + report.refused == static_cast<std::uint64_t>(rows),
          "each row is taken or refused");
    claim((report.refused == 0) == report.first_refusal.empty(), "a refusal has a reason");
    claim(registry_.active_sessions() == sessions, "each session that was taken is active");
    registry_.reserve_rows(report.last_id, now_);
    refused_ = report.refused;
    last_id_ = report.last_id;
  }

  Answer ask(const Command& command) {
    Answer answer = registry_.apply(command, now_).answer;
    const Response response = to_response(answer);
    boost::json::error_code failed;
    boost::json::parse(response.body, failed);
    claim(!failed, "an answer is JSON");
    return answer;
  }

  std::vector<SessionInfo> sessions() {
    std::vector<SessionInfo> all;
    Cursor next;
    do {
      Page page = std::get<Page>(ask(ListAll{next, 7}));
      all.insert(all.end(), page.sessions.begin(), page.sessions.end());
      next = page.next;
    } while (!next.empty());
    claim(all.size() == registry_.active_sessions(), "all that is active is listed");
    return all;
  }

  void store() {
    registry_.flush_usage(SIZE_MAX, now_);
    const auto changes = registry_.take_changes();
    must(database_.store().commit(changes, now_.offset()));
    registry_.confirm(registry_.last_change());
    registry_.take_events([](const Event&) {});
  }

  void tidy() {
    registry_.sweep(registry_.slots(), Millis(1000), now_);
    SaveCursor cursor;
    while (registry_.save_some(cursor, 1000, now_)) {
    }
  }

  const Now& now() const { return now_; }
  std::uint64_t refused() const { return refused_; }
  // Whether there are row ids for new sessions.
  bool has_room() const { return last_id_ < kLastRow - Registry::kRowLeap - 1000; }

 private:
  HostileDatabase& database_;
  Now now_ = FakeClock().now();
  Registry registry_{Policy{}, 1};
  std::uint64_t refused_ = 0;
  std::int64_t last_id_ = 0;
};

void check_session(const SessionInfo& session, const Now& now) {
  claim(Id::parse("user", session.user).has_value(), "a user has a name");
  claim(Id::parse("session", session.session).has_value(), "a session has a name");
  claim(session.started_at <= now.wall() && session.last_seen_at <= now.wall(),
        "nothing began in the future");
  claim(session.expires_at > now.wall() && session.expires_at <= now.wall() + kMaxLease,
        "a lease has not run out, and does not go on for ever");
}

// Each user asks for one session more, by a denied or granted start.
void use(Fixture& fixture, const std::vector<SessionInfo>& sessions) {
  for (const SessionInfo& session : sessions) {
    const Id user = *Id::parse("user", session.user);
    const Id name = *Id::parse("session", session.session);
    const Answer renewed = fixture.ask(Heartbeat{user, name});
    claim(std::holds_alternative<Granted>(renewed), "what is listed can be renewed");
    const Answer started = fixture.ask(Start{user, *Id::parse("session", "one more")});
    if (const auto* granted = std::get_if<Granted>(&started)) {
      claim(granted->renewed || granted->limit == kUnlimited || granted->active <= granted->limit,
            "never more than the limit");
    } else {
      const Answer block = fixture.ask(ShowBlock{user});
      claim(std::holds_alternative<Blocked>(started) == std::get<UserBlock>(block).blocked,
            "who is kept out is told so, and nobody else");
      claim(std::holds_alternative<Denied>(started) || std::holds_alternative<Blocked>(started),
            "a start is granted, denied or kept out");
    }
    fixture.ask(ShowLimit{user});
  }
  fixture.ask(ListLimits{});
  fixture.ask(ListBlocks{});
  fixture.ask(ListPlans{});
}

std::set<std::pair<std::string, std::string>> names_of(const std::vector<SessionInfo>& sessions) {
  std::set<std::pair<std::string, std::string>> names;
  for (const SessionInfo& each : sessions) names.emplace(each.user, each.session);
  claim(names.size() == sessions.size(), "a session is there once");
  return names;
}

// It may have nothing to tell, for a sum may be too large.
void read_reports(const std::string& path) {
  static ReportReader reader = must(ReportReader::open(path));
  for (const auto& user : {std::optional<std::string>(), std::optional<std::string>("abc")}) {
    const ReportQuery query{Millis(0), 20, user, 3};
    const auto report = reader.read(query, 0);
    if (!report) continue;
    claim(report->users.size() <= 20, "a report tells of as many users as were asked for");
    for (const auto& [rule, denials] : report->by_rule) {
      claim(is_rule_name(rule), "a report tells of what can be a rule");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static HostileDatabase database;
  const std::int64_t rows = database.fill({reinterpret_cast<const char*>(data), size});
  read_reports(database.path());
  Fixture fixture(database, rows);
  for (const SessionInfo& session : fixture.sessions()) check_session(session, fixture.now());
  use(fixture, fixture.sessions());
  fixture.tidy();
  fixture.store();
  if (!fixture.has_room()) return 0;

  const auto before = names_of(fixture.sessions());
  Fixture restarted(database, database.rows());
  const auto after = names_of(restarted.sessions());
  for (const auto& name : before) claim(after.contains(name), "what was stored comes back");
  claim(fixture.refused() > 0 || before == after, "and nothing else does");
  read_reports(database.path());
  return 0;
}
