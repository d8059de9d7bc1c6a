#include "fleet/served.hpp"

#include "support/described.hpp"
#include "support/moments.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

using namespace concur;
using namespace concur::test;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kHere = 1;
constexpr std::uint64_t kElsewhere = 2;
// How far the engine's clock is ahead of the boot clock.
constexpr Millis kAhead{1'795'446'000'000};

using Names = std::vector<std::string>;

struct ServedFixture {
  // As the engine has it from now on.
  UserState::Session session(std::string name, std::int64_t start, std::uint64_t box = kHere,
                             Millis ttl = 90s) const {
    UserState::Session known;
    known.row.id = start;
    known.row.session = std::move(name);
    known.row.started = known.row.last_seen = there();
    known.row.ttl = ttl;
    known.row.expires = there() + ttl;
    known.box = box;
    return known;
  }
  GoneRow removal(std::string name, std::int64_t start, EndReason why = EndReason::kEnded) const {
    GoneRow row;
    row.session = std::move(name);
    row.reason = why;
    row.at = there();
    row.ttl = 90s;
    row.row = start;
    if (why == EndReason::kEvicted) row.by = std::make_unique<EvictedBy>();
    return row;
  }
  UserState::Gone gone(std::string name, std::int64_t start, EndReason why) const {
    return {removal(std::move(name), start, why)};
  }

  Instant here() const { return clock.now().instant; }
  Instant there() const { return here() + kAhead; }

  void update(const UserState& state, std::vector<GoneRow> removed = {}) {
    served.update(state, kHere, std::move(removed), kAhead, here());
  }
  void serve(std::string name, std::int64_t start, Millis ttl = 90s) {
    UserState state{.user = "u"};
    state.sessions.push_back(session(std::move(name), start, kHere, ttl));
    update(state);
  }
  void remove(std::string name, std::int64_t start) {
    std::vector<GoneRow> removed;
    removed.push_back(removal(std::move(name), start));
    update({.user = "u"}, std::move(removed));
  }
  // How many came back.
  std::size_t heal(UserState& state) { return served.heal(state, kHere, kAhead, here()); }

  std::vector<Change> take_journal() { return std::exchange(journal, {}); }
  template <class T>
  T only() {
    REQUIRE(journal.size() == 1);
    REQUIRE(std::holds_alternative<T>(journal.front()));
    T change = std::move(std::get<T>(journal.front()));
    journal.clear();
    return change;
  }

  FakeClock clock;
  std::vector<Change> journal;
  Served served{[this](Change&& change) { journal.push_back(std::move(change)); }};
};

Names names_of(const UserState& state) {
  Names names;
  for (const auto& each : state.sessions) names.push_back(each.row.session);
  return names;
}

}  // namespace

TEST_CASE("Served::update") {
  ServedFixture f;
  UserState state{.user = "u"};
  state.sessions.push_back(f.session("s1", 100));
  state.sessions.push_back(f.session("s2", 101, kElsewhere));

  SUBCASE("stores what is served here, on the boot clock and with its start's number") {
    f.update(state);
    CHECK(f.served.sessions() == 1);
    const Insert insert = f.only<Insert>();
    CHECK(insert.row.session == "s1");
    CHECK(insert.row.id == 1);
    CHECK(insert.row.fleet_id == 100);
    CHECK(insert.row.started == f.here());
    CHECK(insert.row.expires == f.here() + 90s);
  }
  SUBCASE("knows nobody of whom nothing is served here") {
    state.sessions.erase(state.sessions.begin());
    f.update(state);
    CHECK(f.served.users() == 0);
    CHECK(f.journal.empty());
  }
  SUBCASE("stores a lease once it moved by a third, or shrank") {
    f.update(state);
    f.take_journal();
    const auto beat = [&](Millis ttl) {
      state.sessions[0].row.last_seen = f.there();
      state.sessions[0].row.ttl = ttl;
      state.sessions[0].row.expires = f.there() + ttl;
      f.update(state);
    };
    f.clock.tick(29s);
    beat(90s);
    CHECK(f.journal.empty());
    f.clock.tick(1s);
    beat(90s);
    CHECK(f.only<Save>().expires == f.here() + 90s);
    beat(60s);
    const Save save = f.only<Save>();
    CHECK(save.expires == f.here() + 60s);
    CHECK(save.ttl == 60s);
    CHECK(save.id == 1);
  }
  SUBCASE("stores what a client says of a session anew") {
    f.update(state);
    f.take_journal();
    state.sessions[0].row.details = std::make_unique<Details>(Details{"tv", "ip", "c", "m"});
    f.update(state);
    CHECK(f.only<Describe>().content == "c");
    f.update(state);
    CHECK(f.journal.empty());
  }
  SUBCASE("forgets a session that ended, that another box serves, or that another start took") {
    f.update(state);
    f.take_journal();
    SUBCASE("ended") { state.sessions.erase(state.sessions.begin()); }
    SUBCASE("of another box") { state.sessions[0].box = kElsewhere; }
    f.update(state);
    CHECK(f.only<Remove>().id == 1);
    CHECK(f.served.sessions() == 0);
    CHECK(f.served.users() == 0);
  }
  SUBCASE("stores another start of a name as another session") {
    f.update(state);
    f.take_journal();
    state.sessions[0].row.id = 105;
    f.update(state);
    REQUIRE(f.journal.size() == 2);
    CHECK(std::get<Remove>(f.journal[0]).id == 1);
    CHECK(std::get<Insert>(f.journal[1]).row.id == 2);
    CHECK(f.served.sessions() == 1);
  }
  SUBCASE("keeps no session whose lease is over") {
    state.sessions[0].row.expires = f.there();
    f.update(state);
    CHECK(f.served.users() == 0);
  }
}

TEST_CASE("Served::heal gives back what the engine forgot") {
  ServedFixture f;
  f.serve("s1", 100);
  f.clock.tick(10s);
  UserState state{.user = "u"};

  SUBCASE("all of it, with the lease that it had") {
    CHECK(f.heal(state) == 1);
    REQUIRE(names_of(state) == Names{"s1"});
    const UserState::Session& back = state.sessions[0];
    CHECK(back.row.id == 100);
    CHECK(back.box == kHere);
    CHECK(back.row.started == f.there() - 10s);
    CHECK(back.row.expires == f.there() + 80s);
    CHECK(f.heal(state) == 0);
  }
  SUBCASE("once, where a later start is there for others") {
    state.sessions.push_back(f.session("s2", 105, kElsewhere));
    CHECK(f.heal(state) == 1);
    CHECK(names_of(state) == Names{"s1", "s2"});
  }
  SUBCASE("a lease that lapsed there and not here") {
    state.sessions.push_back(f.session("s1", 100, kElsewhere));
    state.sessions[0].row.expires = f.there();
    CHECK(f.heal(state) == 1);
    CHECK(state.sessions[0].row.expires == f.there() + 80s);
    CHECK(state.sessions[0].box == kHere);
  }
  SUBCASE("what was marked expired there") {
    state.gone.push_back(f.gone("s1", 100, EndReason::kExpired));
    CHECK(f.heal(state) == 1);
    CHECK(state.gone.empty());
    CHECK(names_of(state) == Names{"s1"});
  }
  SUBCASE("a name of which the engine only knows an earlier start") {
    SUBCASE("active") { state.sessions.push_back(f.session("s1", 99, kElsewhere)); }
    SUBCASE("ended") { state.gone.push_back(f.gone("s1", 99, EndReason::kEnded)); }
    CHECK(f.heal(state) == 1);
    REQUIRE(names_of(state) == Names{"s1"});
    CHECK(state.sessions[0].row.id == 100);
    CHECK(state.gone.empty());
  }
  SUBCASE("not what is there") {
    state.sessions.push_back(f.session("s1", 100, kElsewhere));
    state.sessions[0].row.expires = f.there() + 1ms;
    const std::string before = described(state);
    CHECK(f.heal(state) == 0);
    CHECK(described(state) == before);
  }
  SUBCASE("not what was ended, evicted or purged by anyone") {
    for (const EndReason why : {EndReason::kEnded, EndReason::kEvicted, EndReason::kPurged}) {
      CAPTURE(static_cast<int>(why));
      state = {.user = "u"};
      state.gone.push_back(f.gone("s1", 100, why));
      CHECK(f.heal(state) == 0);
      CHECK(state.sessions.empty());
      CHECK(state.gone.size() == 1);
    }
  }
  SUBCASE("not a name that a later start has, or had") {
    SUBCASE("active") { state.sessions.push_back(f.session("s1", 101, kElsewhere)); }
    SUBCASE("ended") { state.gone.push_back(f.gone("s1", 101, EndReason::kEnded)); }
    SUBCASE("expired") { state.gone.push_back(f.gone("s1", 101, EndReason::kExpired)); }
    const std::string before = described(state);
    CHECK(f.heal(state) == 0);
    CHECK(described(state) == before);
  }
  SUBCASE("not what is over by this box's own clock") {
    f.clock.tick(80s);
    CHECK(f.heal(state) == 0);
    CHECK(state.sessions.empty());
  }
}

TEST_CASE("Served::heal repeats what this box ended, for one lease") {
  ServedFixture f;
  f.serve("s1", 100);
  f.remove("s1", 100);
  UserState state{.user = "u"};
  state.sessions.push_back(f.session("s1", 100));

  SUBCASE("of that start") {
    CHECK(f.heal(state) == 0);
    CHECK(state.sessions.empty());
    REQUIRE(state.gone.size() == 1);
    CHECK(state.gone[0].row.at == f.there());
    CHECK(state.gone[0].row.row == 100);
  }
  SUBCASE("but of no other") {
    state.sessions[0].row.id = 101;
    f.heal(state);
    CHECK(names_of(state) == Names{"s1"});
  }
  SUBCASE("nor longer") {
    f.clock.tick(89'999ms);
    f.served.forget_over("u", f.here());
    CHECK(f.served.users() == 1);
    f.clock.tick(1ms);
    f.served.forget_over("u", f.here());
    CHECK(f.served.users() == 0);
    f.heal(state);
    CHECK(names_of(state) == Names{"s1"});
  }
  SUBCASE("also of a start that was given up, whatever became of it") {
    GoneRow start = f.removal("s2", 103);
    start.at = f.here();
    f.served.withdraw("u", std::move(start));
    state.sessions.push_back(f.session("s2", 103));
    f.heal(state);
    CHECK(state.sessions.empty());
    CHECK(state.gone.size() == 2);
  }
}

TEST_CASE("Served::take_due") {
  ServedFixture f;
  f.serve("s1", 100);

  SUBCASE("names a user once a lease is over") {
    f.clock.tick(89'999ms);
    CHECK(f.served.take_due(10, f.here()).empty());
    f.clock.tick(1ms);
    CHECK(f.served.take_due(10, f.here()) == Names{"u"});
  }
  SUBCASE("again after a while, where nobody could end what is over") {
    f.clock.tick(90s);
    f.served.take_due(10, f.here());
    CHECK(f.served.take_due(10, f.here()).empty());
    f.clock.tick(5s);
    CHECK(f.served.take_due(10, f.here()) == Names{"u"});
  }
  SUBCASE("once, however often its leases moved") {
    for (int i = 0; i < 1000; ++i) {
      f.clock.tick(1s);
      f.serve("s1", 100);
      CHECK(f.served.take_due(10, f.here()).empty());
    }
    f.serve("s1", 100, 2s);
    f.clock.tick(2s);
    CHECK(f.served.take_due(10, f.here()) == Names{"u"});
    f.served.forget_over("u", f.here());
    f.clock.tick(1h);
    CHECK(f.served.take_due(10, f.here()).empty());
  }
  SUBCASE("names so many at most, and the others next") {
    for (int i = 0; i < 9; ++i) {
      UserState state{.user = "v" + std::to_string(i)};
      state.sessions.push_back(f.session("s", 200 + i));
      f.update(state);
    }
    f.clock.tick(90s);
    Names all = f.served.take_due(4, f.here());
    CHECK(all.size() == 4);
    const Names others = f.served.take_due(100, f.here());
    CHECK(others.size() == 6);
    all.insert(all.end(), others.begin(), others.end());
    std::ranges::sort(all);
    CHECK(std::ranges::adjacent_find(all) == all.end());
  }
  SUBCASE("names a user whose removals are no longer to be remembered") {
    f.remove("s1", 100);
    f.clock.tick(90s);
    CHECK(f.served.take_due(10, f.here()) == Names{"u"});
    f.served.forget_over("u", f.here());
    CHECK(f.served.users() == 0);
  }
}

TEST_CASE("Served::restore takes in what was stored") {
  ServedFixture f;
  Row row;
  row.id = 17;
  row.fleet_id = 100;
  row.user = "u";
  row.session = "s1";
  row.started = row.last_seen = f.here() - 1h;
  row.ttl = 90s;
  row.expires = f.here() - 1s;
  f.served.restore(copy_of(row), f.clock.now());
  REQUIRE(f.served.find("u") != nullptr);

  SUBCASE("with a heartbeat interval of time, as nobody could give a sign of life") {
    UserState state{.user = "u"};
    CHECK(f.heal(state) == 1);
    CHECK(state.sessions[0].row.id == 100);
    CHECK(state.sessions[0].row.expires == f.there() + 30s);
  }
  SUBCASE("and no lease that is longer than any") {
    row.session = "s2";
    row.expires = f.here() + 1000h;
    f.served.restore(copy_of(row), f.clock.now());
    UserState state{.user = "u"};
    f.heal(state);
    REQUIRE(state.sessions.size() == 2);
    for (const auto& each : state.sessions) CHECK(each.row.expires <= f.there() + 90s);
  }
  SUBCASE("and gives no number in the database twice") {
    UserState state{.user = "u"};
    f.heal(state);
    state.sessions.push_back(f.session("s2", 101));
    f.update(state);
    std::vector<std::int64_t> inserted;
    for (const Change& each : f.journal) {
      if (const auto* insert = std::get_if<Insert>(&each)) inserted.push_back(insert->row.id);
    }
    CHECK(inserted == std::vector<std::int64_t>{18});
  }
  SUBCASE("and is looked at when that time is over") {
    f.clock.tick(30s);
    CHECK(f.served.take_due(10, f.here()) == Names{"u"});
  }
}

TEST_CASE("Served::users_to_tell names those of whom an engine may have forgotten something") {
  ServedFixture f;
  f.serve("s1", 100, 90s);
  CHECK(f.served.users_to_tell(5min).empty());
  CHECK(f.served.users_to_tell(0ms) == Names{"u"});
  SUBCASE("a session with a long lease") { f.serve("s1", 100, 301s); }
  SUBCASE("something that ended here") { f.remove("s1", 100); }
  CHECK(f.served.users_to_tell(5min) == Names{"u"});
}

// What a new database would hold is what the old one holds by what it was told.
TEST_CASE("Served's journal is what is to be stored") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto dice = [&random](unsigned sides) { return static_cast<int>(random() % sides); };
    ServedFixture f;
    std::map<std::string, UserState> states;
    std::int64_t start = 100;
    for (int step = 0; step < 300; ++step) {
      f.clock.tick(Millis(dice(20'000)));
      const std::string user = "u" + std::to_string(dice(3));
      UserState& state = states[user];
      state.user = user;
      std::erase_if(state.sessions,
                    [&f](const auto& each) { return each.row.expires <= f.there(); });
      std::vector<GoneRow> removed;
      const int what = dice(6);
      if (state.sessions.empty() || what == 0) {
        ++start;
        const Millis ttl(1000 * (1 + dice(200)));
        const auto box = static_cast<std::uint64_t>(1 + dice(2));
        state.sessions.push_back(f.session("s" + std::to_string(start), start, box, ttl));
      } else {
        const auto which = dice(static_cast<unsigned>(state.sessions.size()));
        UserState::Session& one = state.sessions[static_cast<std::size_t>(which)];
        if (what == 1) {
          removed.push_back(f.removal(one.row.session, one.row.id));
          state.sessions.erase(state.sessions.begin() + which);
        } else if (what == 2) {
          one.box = 3 - one.box;
        } else if (what == 3) {
          one.row.details =
              std::make_unique<Details>(Details{"tv", "ip" + std::to_string(dice(2)), "", ""});
        } else {
          one.row.last_seen = f.there();
          one.row.expires = f.there() + one.row.ttl;
        }
      }
      f.update(state, std::move(removed));
      for (const std::string& due : f.served.take_due(10, f.here())) {
        f.served.forget_over(due, f.here());
      }
    }
    f.served.save_leases();

    std::map<std::int64_t, Row> stored;
    for (Change& each : f.journal) {
      if (auto* insert = std::get_if<Insert>(&each)) {
        REQUIRE(stored.emplace(insert->row.id, std::move(insert->row)).second);
      } else if (auto* save = std::get_if<Save>(&each)) {
        Row& row = stored.at(save->id);
        row.last_seen = save->last_seen;
        row.expires = save->expires;
        row.ttl = save->ttl;
        row.start = save->start;
      } else if (auto* describe = std::get_if<Describe>(&each)) {
        Row& row = stored.at(describe->id);
        Details details = row.details ? *row.details : Details{"tv", "", "", ""};
        details.ip = describe->ip;
        row.details = std::make_unique<Details>(details);
      } else if (auto* remove = std::get_if<Remove>(&each)) {
        REQUIRE(stored.erase(remove->id) == 1);
      }
    }
    std::map<std::int64_t, Row> copied;
    f.served.copy([&copied](Change&& change) {
      Row& row = std::get<Insert>(change).row;
      copied.emplace(row.id, std::move(row));
    });
    REQUIRE(copied.size() == stored.size());
    REQUIRE(copied.size() == f.served.sessions());
    for (const auto& [id, row] : copied) {
      CHECK(described(row) == described(stored.at(id)));
      CHECK(row.fleet_id == stored.at(id).fleet_id);
    }
  }
}

TEST_CASE("Served: a session that is let in for a while") {
  ServedFixture f;
  UserState state{.user = "u"};
  state.sessions.push_back(f.session("s1", 100));
  state.sessions.front().row.overlap = std::make_unique<Overlap>(Overlap{5s, {}});
  f.update(state);
  SUBCASE("is stored as such, until it stays") {
    CHECK(f.only<Insert>().row.overlap != nullptr);
    state.sessions.front().row.overlap.reset();
    f.update(state);
    CHECK_FALSE(f.only<SetOverlap>().overlap);
    f.update(state);
    CHECK(f.journal.empty());
  }
  SUBCASE("is due when its time is over") {
    f.clock.tick(5s - 1ms);
    CHECK(f.served.take_due(10, f.here()).empty());
    f.clock.tick(1ms);
    CHECK(f.served.take_due(10, f.here()) == Names{"u"});
  }
  SUBCASE("comes back as such where the engine forgot it") {
    UserState forgot{.user = "u"};
    CHECK(f.heal(forgot) == 1);
    CHECK(forgot.sessions.front().row.overlap != nullptr);
  }
  SUBCASE("comes back as such after a restart") {
    Row stored = f.only<Insert>().row;
    stored.user = "u";
    Served restarted([](Change&&) {});
    restarted.restore(std::move(stored), f.clock.now());
    REQUIRE(restarted.find("u") != nullptr);
    CHECK(restarted.find("u")->sessions.front().row.overlap != nullptr);
  }
}
