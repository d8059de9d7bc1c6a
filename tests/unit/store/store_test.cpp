#include "store/store.hpp"

#include "session/registry.hpp"
#include "store/rows.hpp"
#include "support/full_disk.hpp"
#include "support/moments.hpp"
#include "support/stores.hpp"
#include "support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::FakeClock;
using concur::test::FullDisk;
using concur::test::insert;
using concur::test::load;
using concur::test::one;
using concur::test::open_store;
using concur::test::run_sql;
using concur::test::TempFolder;

TEST_CASE("Store keeps what is committed") {
  const TempFolder folder;
  const std::string path = folder.file("sessions.db");
  FakeClock clock;
  const Now now = clock.now();

  SUBCASE("sessions with all attributes") {
    {
      Store store = open_store(path);
      Insert full = insert(1, "s1", now.instant);
      full.row.details =
          std::make_unique<Details>(Details{"tv", "192.0.2.1", "film", R"({"a":"b"})"});
      std::vector<Change> changes;
      changes.push_back(std::move(full));
      changes.push_back(insert(2, "s2", now.instant));
      changes.push_back(insert(3, "s3", now.instant));
      changes.push_back(Remove{2});
      REQUIRE(store.commit(changes, now.offset()).has_value());
    }
    Store store = open_store(path);
    const auto rows = load(store, now);
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].session == "s1");
    CHECK(rows[0].user == "abc");
    CHECK(rows[0].started == now.instant);
    CHECK(rows[0].expires == now.instant + 90s);
    CHECK(rows[0].ttl == 90s);
    REQUIRE(rows[0].details);
    CHECK(*rows[0].details == Details{"tv", "192.0.2.1", "film", R"({"a":"b"})"});
    CHECK(rows[1].session == "s3");
    CHECK_FALSE(rows[1].details);
  }
  SUBCASE("whom operators keep out, and what viewers are told") {
    std::vector<Change> changes;
    changes.emplace_back(PutBlock{{"abc", {now.instant - 1min, 1h, "Not today."}}});
    changes.emplace_back(PutBlock{{"abc", {now.instant, 2h, "Nor tomorrow."}}});
    changes.emplace_back(PutBlock{{"xyz", {now.instant, {}, ""}}});
    changes.emplace_back(PutBlock{{"free", {now.instant, {}, ""}}});
    changes.emplace_back(DropBlock{"free"});
    changes.emplace_back(PutGone{
        {11, "abc", "s1", EndReason::kPurged, now.instant, 90s, nullptr, 1, 0, "Please call us."}});
    changes.emplace_back(
        PutGone{{12, "abc", "s2", EndReason::kEnded, now.instant, 90s, nullptr, 2, 0, "Bye."}});
    {
      Store store = open_store(path);
      REQUIRE(store.commit(changes, now.offset()).has_value());
    }
    const auto rows_at = [&path](const Now& then, const std::string& boot) {
      Store store = open_store(path, boot);
      std::vector<StoredRow> rows;
      const auto report = store.load(then, [&](StoredRow row) {
        rows.push_back(std::move(row));
        return true;
      });
      CHECK(report->refused == 0);
      REQUIRE(rows.size() == 4);
      return rows;
    };
    const auto rows = rows_at(now, "boot-1");
    CHECK(std::get<BlockRow>(rows[0]).block == Block{now.instant, 2h, "Nor tomorrow."});
    CHECK(std::get<BlockRow>(rows[1]).user == "xyz");
    CHECK(std::get<BlockRow>(rows[1]).block == Block{now.instant, {}, ""});
    CHECK(std::get<GoneRow>(rows[2]).message == "Please call us.");
    CHECK(std::get<GoneRow>(rows[3]).reason == EndReason::kEnded);
    CHECK(std::get<GoneRow>(rows[3]).message == "Bye.");
    // After a reboot by the wall clock.
    Now later{Instant(10s), {}, {}, {}};
    later.wall_offset = now.wall().time_since_epoch() + 1h - 10s;
    const auto block = std::get<BlockRow>(rows_at(later, "boot-2")[0]).block;
    CHECK(*block.until() - later.instant == 1h);
  }
  SUBCASE("which sessions are let in for a while, and who was denied so") {
    Insert let_in = insert(1, "s1", now.instant);
    let_in.row.overlap = std::make_unique<Overlap>(Overlap{5s, 0});
    Insert stays = insert(2, "s2", now.instant);
    stays.row.overlap = std::make_unique<Overlap>(Overlap{6s, {}});
    std::vector<Change> changes;
    changes.push_back(std::move(let_in));
    changes.push_back(std::move(stays));
    changes.push_back(insert(3, "s3", now.instant));
    {
      Store store = open_store(path);
      REQUIRE(store.commit(changes, now.offset()).has_value());
      auto rows = load(store, now);
      REQUIRE(rows.size() == 3);
      CHECK(*rows[0].overlap == Overlap{5s, 0});
      CHECK(*rows[1].overlap == Overlap{6s, {}});
      CHECK(rows[2].overlap == nullptr);
    }
    changes.clear();
    changes.emplace_back(SetOverlap{2});
    changes.emplace_back(
        PutGone{{11, "abc", "s4", EndReason::kDenied, now.instant, 90s, nullptr, 4, 0}});
    Store store = open_store(path);
    REQUIRE(store.commit(changes, now.offset()).has_value());
    std::vector<StoredRow> rows;
    const auto report = store.load(now, [&](StoredRow row) {
      rows.push_back(std::move(row));
      return true;
    });
    REQUIRE(report.has_value());
    REQUIRE(rows.size() == 4);
    CHECK(std::get<Row>(rows[0]).overlap != nullptr);
    CHECK(std::get<Row>(rows[1]).overlap == nullptr);
    CHECK(std::get<GoneRow>(rows[3]).reason == EndReason::kDenied);
  }
  SUBCASE("limits, plans and hold-offs, and what a session was described with anew") {
    std::vector<Change> changes;
    changes.emplace_back(PutPlan{{"gold", 5, OnLimit::kEvictOldest}});
    changes.emplace_back(PutPlan{{"gone", 6, {}}});
    changes.emplace_back(DropPlan{"gone"});
    changes.emplace_back(PutLimit{{"abc", 0, OnLimit::kDeny, ""}});
    changes.emplace_back(PutLimit{{"xyz", {}, {}, "gold"}});
    changes.emplace_back(PutLimit{{"none", 4, {}, ""}});
    changes.emplace_back(PutLimit{{"none", {}, {}, ""}});
    changes.emplace_back(insert(1, "s1", now.instant));
    changes.emplace_back(Describe{1, "192.0.2.1", "film", R"({"a":"b"})"});
    changes.emplace_back(PutHoldOff{{7, "abc", "s7", "tv", now.instant - 1min}});
    changes.emplace_back(PutHoldOff{{8, "abc", "s8", "", now.instant}});
    changes.emplace_back(DropHoldOff{8});
    changes.emplace_back(
        PutHoldOff{{9, "abc", "s9", "", now.instant, "192.0.2.1", Mark::kProtected}});
    for (std::int64_t number = 11; number < 16; ++number) {
      changes.emplace_back(PutGone{{number, "abc", "s" + std::to_string(number), EndReason::kPurged,
                                    now.instant - 2min, 90s, nullptr}});
    }
    changes.emplace_back(DropGone{12, 14});
    std::get<PutGone>(changes[13]).row.reason = EndReason::kEvicted;
    std::get<PutGone>(changes[13]).row.by = std::make_unique<EvictedBy>(EvictedBy{"s1", "tv"});
    {
      Store store = open_store(path);
      REQUIRE(store.commit(changes, now.offset()).has_value());
    }
    Store store = open_store(path);
    std::vector<StoredRow> rows;
    const auto report = store.load(now, [&](StoredRow row) {
      rows.push_back(std::move(row));
      return true;
    });
    CHECK(report->last_id == 15);
    REQUIRE(rows.size() == 8);
    CHECK(std::get<PlanRow>(rows[0]).plan == "gold");
    CHECK(std::get<PlanRow>(rows[0]).limit == 5);
    CHECK(std::get<PlanRow>(rows[0]).on_limit == OnLimit::kEvictOldest);
    CHECK(std::get<LimitRow>(rows[1]).limit == 0);
    CHECK(std::get<LimitRow>(rows[1]).on_limit == OnLimit::kDeny);
    CHECK(std::get<LimitRow>(rows[2]).plan == "gold");
    CHECK_FALSE(std::get<LimitRow>(rows[2]).limit.has_value());
    CHECK(*std::get<Row>(rows[3]).details == Details{"", "192.0.2.1", "film", R"({"a":"b"})"});
    const auto& held = std::get<HoldOffRow>(rows[4]);
    CHECK(held.session == "s7");
    CHECK(held.device == "tv");
    CHECK(held.since == now.instant - 1min);
    CHECK_FALSE(held.mark.has_value());
    const auto& kept = std::get<HoldOffRow>(rows[5]);
    CHECK(kept.session == "s9");
    CHECK(kept.address == "192.0.2.1");
    CHECK(kept.mark == Mark::kProtected);
    const auto& evicted = std::get<GoneRow>(rows[6]);
    CHECK(evicted.id == 11);
    CHECK(evicted.session == "s11");
    CHECK(evicted.reason == EndReason::kEvicted);
    CHECK(evicted.by->session == "s1");
    CHECK(evicted.by->device == "tv");
    CHECK(evicted.at == now.instant - 2min);
    CHECK(evicted.ttl == 90s);
    CHECK(std::get<GoneRow>(rows[7]).session == "s15");
    CHECK(std::get<GoneRow>(rows[7]).reason == EndReason::kPurged);
  }
  SUBCASE("a moved lease, in the clock of its own time") {
    Store store = open_store(path);
    REQUIRE(store.commit(one(insert(1, "s1", now.instant)), now.offset()).has_value());
    clock.tick(30s);
    clock.set_wall(clock.now().wall() + 24h);
    const Now later = clock.now();
    const Save save{1, now.instant, later.instant, later.instant + 90s, 90s, UINT32_MAX};
    REQUIRE(store.commit(one(save), later.offset()).has_value());
    clock.set_wall(clock.now().wall() - 48h);
    const auto rows = load(store, clock.now());
    CHECK(rows[0].started == now.instant);
    CHECK(rows[0].last_seen == later.instant);
    CHECK(rows[0].expires == later.instant + 90s);
    CHECK(rows[0].start == UINT32_MAX);
  }
  SUBCASE("after a reboot the wall clock says what is left") {
    {
      Store store = open_store(path, "boot-1");
      REQUIRE(store.commit(one(insert(1, "s1", now.instant)), now.offset()).has_value());
    }
    Store store = open_store(path, "boot-2");
    Now rebooted{Instant(5s), {}};
    rebooted.wall_offset =
        (now.wall() + 40s).time_since_epoch() - rebooted.instant.time_since_epoch();
    const auto rows = load(store, rebooted);
    CHECK(rows[0].expires == rebooted.instant + 50s);
    CHECK(rows[0].started == rebooted.instant - 40s);
  }
  SUBCASE("where boots cannot be distinguished, the wall clock decides each time") {
    {
      Store store = open_store(path, "");
      REQUIRE(store.commit(one(insert(1, "s1", now.instant)), now.offset()).has_value());
    }
    Store store = open_store(path, "");
    Now later = now;
    later.wall_offset += 40s;
    CHECK(load(store, later)[0].expires == now.instant + 50s);
  }
}

TEST_CASE("Store::commit that fails") {
  const TempFolder folder;
  const FakeClock clock;
  const Now now = clock.now();
  Store store = open_store(folder.file("sessions.db"));
  REQUIRE(store.commit(one(insert(1, "s1", now.instant)), now.offset()).has_value());

  SUBCASE("on a full disk keeps nothing of the batch, and works again when there is room") {
    {
      const FullDisk full;
      CHECK(store.commit(one(insert(2, "s2", now.instant)), now.offset()).has_error());
      CHECK(store.commit({}, now.offset()).has_error());
    }
    CHECK(store.commit({}, now.offset()).has_value());
    CHECK(load(store, now).size() == 1);
    CHECK(store.commit(one(insert(2, "s2", now.instant)), now.offset()).has_value());
    CHECK(load(store, now).size() == 2);
  }
  SUBCASE("in the middle of a batch rolls back its beginning") {
    std::vector<Change> changes;
    changes.push_back(insert(2, "s2", now.instant));
    changes.push_back(insert(1, "again", now.instant));  // the row id is taken
    CHECK(store.commit(changes, now.offset()).has_error());
    CHECK(load(store, now).size() == 1);
    CHECK(store.commit(one(insert(2, "s2", now.instant)), now.offset()).has_value());
  }
}

TEST_CASE("Store::load leaves aside rows that hold no session") {
  const TempFolder folder;
  const std::string path = folder.file("sessions.db");
  { open_store(path); }
  const auto row = [](const std::string& values) {
    return "INSERT INTO sessions(id, user, session, started_at, last_seen_at, expires_at, ttl, "
           "clock_offset, boot) VALUES (" +
           values + ");";
  };
  run_sql(
      path,
      row("1, 'a', 'good', 1, 1, 2, 90000, 0, 1") + row("2, '', 's', 1, 1, 2, 90000, 0, 1") +
          row("3, 'a', char(10), 1, 1, 2, 90000, 0, 1") +
          row("4, 'a', 's', 9223372036854775807, 1, 2, 90000, 0, 1") +
          row("5, 'a', 's', 1, -9223372036854775808, 2, 90000, 0, 1") +
          row("-6, 'a', 's', 1, 1, 2, 90000, 0, 1") +
          row("7, CAST(x'ff' AS TEXT), 's', 1, 1, 2, 90000, 0, 1") +
          row("9, 'a', 'good too', 1, 1, 2, -5, 0, 77") +
          row("10, 'a', 'm1', 1, 1, 2, 90000, 0, 1") + row("11, 'a', 'm2', 1, 1, 2, 90000, 0, 1") +
          row("12, 'a', 'm3', 1, 1, 2, 90000, 0, 1") + row("13, 'a', 'o1', 1, 1, 2, 90000, 0, 1") +
          row("14, 'a', 'o2', 1, 1, 2, 90000, 0, 1") +
          "UPDATE sessions SET meta = '{\"a\":' WHERE id = 10;"
          "UPDATE sessions SET meta = '[1]' WHERE id = 11;"
          "UPDATE sessions SET device = 'a' || char(7) WHERE id = 12;"
          "UPDATE sessions SET overlap = -1 WHERE id = 13;"
          "UPDATE sessions SET overlap = 1, overlap_limit = -1 WHERE id = 14;");
  Store store = open_store(path);
  const FakeClock clock;
  std::vector<std::string> taken;
  const auto report = store.load(clock.now(), [&](StoredRow loaded) {
    taken.push_back(std::get<Row>(loaded).session);
    return true;
  });
  REQUIRE(report.has_value());
  CHECK(taken == std::vector<std::string>{"good", "good too"});
  CHECK(report->rows == 2);
  CHECK(report->refused == 11);
  CHECK(report->first_refusal == "sessions, row -6: cannot accept row: a number is out of range");
}

TEST_CASE("Store::load takes in what a registry can hold, and no more") {
  const TempFolder folder;
  const std::string path = folder.file("sessions.db");
  { open_store(path); }
  // The last row id and, but for one, the bound of times.
  const std::string most = std::to_string(kLastRow);
  const std::string beyond = std::to_string(kLastRow + 1);
  const std::string latest = std::to_string(kLastRow - 1);
  const auto row = [](const std::string& id, const std::string& name, const std::string& started,
                      const std::string& offset) {
    return "INSERT INTO sessions(id, user, session, started_at, last_seen_at, expires_at, ttl, "
           "clock_offset, boot) VALUES (" +
           id + ", 'a', '" + name + "', " + started + ", 1, 2, 90000, " + offset + ", 1);";
  };
  run_sql(path, row("1", "early", "-" + latest, latest) + row("2", "late", latest, "-" + latest) +
                    row(most, "last", "1", "0") + row(beyond, "too many", "1", "0") +
                    row("3", "too late", most, "0") + row("4", "too early", "-" + most, "0") +
                    row("5", "too far ahead", "1", most) +
                    row("6", "too far back", "1", "-" + most));
  Store store = open_store(path);
  const FakeClock clock;
  Registry registry(Policy{}, 1);
  std::map<std::string, Instant> started;
  const auto report = store.load(clock.now(), [&](StoredRow loaded) {
    const Row& session = std::get<Row>(loaded);
    started[session.session] = std::min(session.started, clock.now().instant);
    return registry.restore(std::move(loaded), clock.now());
  });
  REQUIRE(report.has_value());
  CHECK(report->refused == 5);
  CHECK(report->last_id == kLastRow);
  CHECK(started.size() == 3);
  const Answer answer = registry.apply(ListUser{*Id::parse("user", "a")}, clock.now()).answer;
  const auto& listed = std::get<UserSessions>(answer).sessions;
  CHECK(listed.size() == 3);
  for (const SessionInfo& session : listed) {
    CAPTURE(session.session);
    CHECK(session.started_at == clock.now().to_wall(started.at(session.session)));
  }
  CHECK(started.at("early") == Instant(Millis(-2 * (kLastRow - 1))));
}

TEST_CASE("Store::give_back_space shrinks a file that has become mostly empty") {
  const TempFolder folder;
  const std::string path = folder.file("sessions.db");
  Store store = open_store(path);
  const FakeClock clock;
  std::vector<Change> changes;
  for (int i = 1; i <= 60'000; ++i)
    changes.push_back(insert(i, std::string(150, 's') + std::to_string(i), clock.now().instant));
  REQUIRE(store.commit(changes, Millis(0)).has_value());
  changes.clear();
  for (int i = 1; i <= 60'000; ++i) changes.push_back(Remove{i});
  REQUIRE(store.commit(changes, Millis(0)).has_value());
  int steps = 0;
  while (store.give_back_space()) ++steps;
  CHECK(steps > 1);
  auto db = Sqlite::open(path);
  CHECK(*db->number("PRAGMA page_count") < 2100);
  CHECK(*db->string("PRAGMA integrity_check") == "ok");
}
