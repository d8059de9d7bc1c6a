#include "store/report_reader.hpp"

#include "store/store.hpp"
#include "support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::TempFolder;

namespace {

constexpr std::int64_t kHour = 498'736;

// A database with a record in it.
struct Record {
  TempFolder folder;
  std::string path = folder.file("sessions.db");
  Store store = *Store::open(path, Durability::kFull, "boot");

  void add(const std::string& user, std::int64_t hour, Usage usage) {
    usage.hour = hour;
    std::vector<Change> changes;
    changes.emplace_back(AddUsage{user, std::move(usage)});
    REQUIRE(store.commit(changes, 0ms).has_value());
  }
  void fold() {
    while (store.fold_usage()) {
    }
  }
  Report read(const ReportQuery& query, std::int64_t first = kHour) {
    auto reader = ReportReader::open(path);
    REQUIRE(reader.has_value());
    auto report = reader->read(query, first);
    REQUIRE(report.has_value());
    return *report;
  }
};

Usage usage(std::uint32_t starts, std::uint32_t denials, std::uint32_t peak,
            std::uint32_t attempted, std::uint32_t excess, const char* device = nullptr) {
  Usage usage{0, starts, denials, 0, peak, attempted, excess};
  if (device != nullptr) usage.devices.add(device);
  return usage;
}

}  // namespace

TEST_CASE("ReportReader") {
  Record record;
  record.add("abc", kHour, usage(3, 2, 3, 5, 2, "tv"));
  record.add("abc", kHour, usage(1, 1, 2, 4, 1, "phone"));
  record.add("abc", kHour + 1, usage(1, 1, 3, 4, 1, "tv"));
  record.add("xyz", kHour, usage(9, 9, 3, 4, 1));
  record.add("innocent", kHour, usage(7, 0, 2, 2, 0));
  record.add("abc", kHour - 5, usage(100, 100, 9, 99, 90));

  SUBCASE("adds up parts and hours, and ranks by how much too much was wanted") {
    const Report report = record.read({});
    REQUIRE(report.users.size() == 2);
    const UsageReport& first = report.users[0];
    CHECK(first.user == "abc");
    CHECK(first.starts == 5);
    CHECK(first.denials == 4);
    CHECK(first.peak == 3);
    CHECK(first.attempted == 5);
    CHECK(first.score == 3);
    CHECK(first.devices == 2);
    CHECK(report.users[1].user == "xyz");
  }
  SUBCASE("says how far it is: three times through the hours") {
    for (std::int64_t hour = 2; hour < 10; ++hour) {
      record.add("abc", kHour + hour, usage(1, 1, 3, 4, 1));
    }
    record.fold();
    auto reader = ReportReader::open(record.path);
    std::vector<WorkState> states;
    REQUIRE(reader->read({}, kHour, [&](const WorkState& work) { states.push_back(work); })
                .has_value());
    REQUIRE_FALSE(states.empty());
    CHECK(states.back().done == 29);
    for (const WorkState& each : states) {
      CHECK(each.total == 30);
      CHECK(each.done < each.total);
    }
    for (const std::uint64_t hour : {5U, 15U, 25U}) {
      CHECK(std::ranges::count(states, hour, &WorkState::done) == 1);
    }
    REQUIRE(reader->read({}, kHour).has_value());
  }
  SUBCASE("names who only had conflicts, and adds those up") {
    Usage shared;
    shared.conflicts = 2;
    record.add("tok", kHour, shared);
    record.fold();
    record.add("tok", kHour, shared);
    record.add("tok", kHour + 1, shared);
    ReportQuery query;
    query.user = "tok";
    const Report report = record.read(query);
    REQUIRE(report.hours.size() == 2);
    CHECK(report.hours[0].conflicts == 4);
    const Report all = record.read({});
    REQUIRE(all.users.size() == 3);
    CHECK(all.users[2].user == "tok");
    CHECK(all.users[2].conflicts == 6);
  }
  SUBCASE("says which rules denied, and passes over what is none") {
    for (const std::int64_t hour : {kHour, kHour + 1}) {
      Usage by_rule = usage(0, 3, 1, 2, 1);
      by_rule.by_rule.set("tvs", 2);
      record.add("abc", hour, by_rule);
    }
    auto other = Sqlite::open(record.path);
    REQUIRE(other.has_value());
    REQUIRE(other
                ->exec("INSERT INTO rule_denials(hour, user, rule, denials) VALUES"
                       "(498736, 'xyz', 'homes', 1), (498736, 'abc', 'NONE', 7),"
                       "(498736, 'abc', CAST(x'FF' AS TEXT), 7), (498736, 'abc', 'old', -7),"
                       "(498731, 'abc', 'tvs', 100)")
                .has_value());
    using ByRule = std::map<std::string, std::uint64_t>;
    const Report report = record.read({});
    CHECK(report.by_rule == ByRule{{"homes", 1}, {"old", 0}, {"tvs", 4}});
    REQUIRE(report.users.size() == 2);
    CHECK(report.users[0].by_rule == ByRule{{"old", 0}, {"tvs", 4}});
    CHECK(report.users[1].by_rule == ByRule{{"homes", 1}});
  }
  SUBCASE("names as many as were asked for") {
    ReportQuery query;
    query.top = 1;
    CHECK(record.read(query).users.size() == 1);
  }
  SUBCASE("counts all users by the level they reached and wanted") {
    ReportQuery query;
    query.what_if_limit = 4;
    const Report report = record.read(query);
    CHECK(report.reached == std::map<std::uint64_t, std::uint64_t>{{2, 1}, {3, 2}});
    CHECK(report.attempted == std::map<std::uint64_t, std::uint64_t>{{2, 1}, {4, 1}, {5, 1}});
    CHECK(report.would_be_refused == 1);
    query.what_if_limit = 1;
    CHECK(record.read(query).would_be_refused == 3);
    query.what_if_limit = 0;
    CHECK(record.read(query).would_be_refused == 0);
  }
  SUBCASE("gives one user's hours") {
    ReportQuery query;
    query.user = "abc";
    const Report report = record.read(query, kHour - 10);
    REQUIRE(report.hours.size() == 3);
    CHECK(report.hours[0].hour == kHour - 5);
    CHECK(report.hours[1].starts == 4);
    CHECK(report.users.at(0).starts == 105);
    query.user = "nobody";
    CHECK(record.read(query).users.empty());
  }
  SUBCASE("gives the same before and after parts were folded in, and in between") {
    const auto all_of = [&record] {
      ReportQuery of_one;
      of_one.user = "abc";
      const Report users = record.read({}, kHour - 10);
      const Report hours = record.read(of_one, kHour - 10);
      CHECK(hours.users.size() == 1);
      return std::tuple(users.users, users.reached, users.attempted, hours.hours, hours.users);
    };
    const auto before = all_of();
    record.fold();
    CHECK(all_of() == before);
    record.add("abc", kHour, usage(0, 1, 2, 9, 6));
    const auto mixed = all_of();
    CHECK(mixed != before);
    record.fold();
    CHECK(all_of() == mixed);
  }
  SUBCASE("parts are added up in bounded steps, whole or not at all") {
    for (int i = 0; i < 100; ++i) record.add("u" + std::to_string(i), kHour, usage(1, 0, 1, 1, 0));
    const auto count = [&record](const std::string& table) {
      return *Sqlite::open(record.path)->number("SELECT count(*) FROM " + table);
    };
    CHECK(count("history_parts") == 106);
    REQUIRE(record.store.fold_usage());
    const auto left = count("history_parts");
    CHECK(left > 0);
    CHECK(left < 106);
    record.fold();
    CHECK(count("history_parts") == 0);
    CHECK(count("history") == 105);
    CHECK(*Sqlite::open(record.path)->number("SELECT sum(starts) FROM history") == 221);
    CHECK_FALSE(record.store.fold_usage());
  }
  SUBCASE("of parts no more than a million are kept waiting") {
    std::vector<Change> changes;
    for (int i = 0; i < 1'001'000; ++i) changes.emplace_back(AddUsage{"u", Usage{kHour, 1}});
    REQUIRE(record.store.commit(changes, 0ms).has_value());
    CHECK(record.store.has_backlog());
    REQUIRE(record.store.fold_usage());
    CHECK_FALSE(record.store.has_backlog());
    CHECK(Store::open(record.path, Durability::kFull, "boot")->has_backlog() == false);
    const auto left = *Sqlite::open(record.path)->number("SELECT count(*) FROM history_parts");
    CHECK(left <= 1'000'000);
    CHECK(left >= 900'000);
  }
  SUBCASE("tampered parts count for what they can") {
    auto db = Sqlite::open(record.path);
    REQUIRE(db->exec("INSERT INTO history_parts VALUES "
                     "(9223372036854775807, 498736, 'abc', -5, 9223372036854775807, 0, -1, -1, "
                     "-9223372036854775808, x'01', NULL, -1), "
                     "(-9223372036854775807, 498736, 'xyz', 1, 1, 1, 1, 1, "
                     "9223372036854775807, NULL, NULL, 9223372036854775807)")
                .has_value());
    record.fold();
    CHECK(*db->number("SELECT count(*) FROM history_parts") == 0);
    CHECK(*db->number("SELECT starts FROM history WHERE user = 'abc' AND hour = 498736") == 4);
    CHECK(record.read({}).users.size() == 2);
  }
  SUBCASE("what is older than is kept goes in bounded steps") {
    record.fold();
    CHECK(record.store.trim_history(kHour));
    CHECK_FALSE(record.store.trim_history(kHour));
    CHECK(record.read({}, kHour - 10).users.at(0).starts == 5);
  }
  SUBCASE("a hash list that is none counts for nothing") {
    record.fold();
    auto db = Sqlite::open(record.path);
    REQUIRE(db->exec("UPDATE history SET devices = x'0102'").has_value());
    CHECK(record.read({}).users[0].devices == 0);
    record.add("abc", kHour, usage(1, 0, 1, 1, 0, "tv"));
    CHECK(record.read({}).users[0].devices == 1);
  }
}
