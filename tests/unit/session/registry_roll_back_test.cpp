#include "session/registry.hpp"

#include "support/moments.hpp"

#include <doctest/doctest.h>

#include <iterator>
#include <random>
#include <set>
#include <string>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::FakeClock;

namespace {

Id id(std::string_view text) { return *Id::parse("id", text); }

// All that can be seen of a registry: per user, its limit, its sessions' names in order, with their
// devices and times; the plans.
std::string picture(Registry& registry, const FakeClock& clock) {
  std::string text;
  for (const char* user : {"a", "b", "c"}) {
    const auto answer = registry.apply(ListUser{id(user)}, clock.now()).answer;
    text += std::string(user) + ":";
    for (const auto& session : std::get<UserSessions>(answer).sessions) {
      text += " " + session.session + " " + session.details.device + session.details.content + "@" +
              format_utc(session.started_at) + "/" + format_utc(session.expires_at);
    }
    const auto limit = std::get<UserLimit>(registry.apply(ShowLimit{id(user)}, clock.now()).answer);
    text += " limit " + std::to_string(limit.limit) + " " + limit.plan + "\n";
  }
  const auto plans = registry.apply(ListPlans{}, clock.now()).answer;
  for (const PlanInfo& plan : std::get<PlanList>(plans).plans) {
    text += plan.plan + std::to_string(plan.limit) + "*" + std::to_string(plan.users) + "\n";
  }
  return text;
}

std::set<std::int64_t> rows_after(std::set<std::int64_t> rows, const std::vector<Change>& changes) {
  for (const Change& change : changes) {
    if (const auto* insert = std::get_if<Insert>(&change))
      CHECK(rows.insert(insert->row.id).second);
    if (const auto* remove = std::get_if<Remove>(&change)) CHECK(rows.erase(remove->id) == 1);
    if (const auto* save = std::get_if<Save>(&change)) CHECK(rows.count(save->id) == 1);
  }
  return rows;
}

}  // namespace

TEST_CASE("Registry::roll_back") {
  FakeClock clock;
  Registry registry(Policy{}, 1);
  const auto apply = [&](const Command& command) { return registry.apply(command, clock.now()); };
  const auto store = [&] {
    registry.take_changes();
    registry.confirm(registry.last_change());
  };

  SUBCASE("a start that failed leaves nothing behind") {
    apply(Start{id("a"), id("s1")});
    registry.roll_back();
    CHECK(registry.active_sessions() == 0);
    CHECK(registry.active_users() == 0);
    CHECK_FALSE(registry.has_changes());
    CHECK(std::holds_alternative<Unknown>(apply(Heartbeat{id("a"), id("s1")}).answer));
    CHECK(apply(ListUser{id("a")}).waits_for == 0);
  }
  SUBCASE("an end that failed leaves the session where it was") {
    for (const char* session : {"s1", "s2", "s3"}) apply(Start{id("a"), id(session)});
    store();
    const std::string before = picture(registry, clock);
    for (const char* session : {"s2", "s1", "s3"}) apply(End{id("a"), id(session)});
    registry.roll_back();
    CHECK(picture(registry, clock) == before);
    CHECK(std::holds_alternative<Granted>(apply(Heartbeat{id("a"), id("s2")}).answer));
  }
  SUBCASE("an end and a new start of the same name are taken back together") {
    apply(Start{id("a"), id("s1")});
    store();
    const std::string before = picture(registry, clock);
    clock.tick(1s);
    apply(End{id("a"), id("s1")});
    apply(Start{id("a"), id("s1")});
    apply(End{id("a"), id("s1")});
    apply(Start{id("a"), id("s1")});
    registry.roll_back();
    CHECK(picture(registry, clock) == before);
  }
  SUBCASE("a failed new start of a gone session leaves it remembered") {
    apply(Start{id("a"), id("s1")});
    apply(End{id("a"), id("s1")});
    store();
    apply(Start{id("a"), id("s1")});
    registry.roll_back();
    CHECK(std::get<Gone>(apply(Heartbeat{id("a"), id("s1")}).answer).reason == EndReason::kEnded);
  }
  SUBCASE("a renewal with another lease that failed renews by the lease before") {
    apply(Start{id("a"), id("s1")});
    store();
    clock.tick(10s);
    Start longer{id("a"), id("s1")};
    longer.ttl = 1h;
    apply(longer);
    registry.roll_back();
    const auto listed = std::get<UserSessions>(apply(ListUser{id("a")}).answer);
    REQUIRE(listed.sessions.size() == 1);
    CHECK(listed.sessions[0].expires_at == clock.now().wall() + 90s);
    clock.tick(90s);
    CHECK(std::get<Gone>(apply(Heartbeat{id("a"), id("s1")}).answer).reason == EndReason::kExpired);
  }
  SUBCASE("what is confirmed stays, what came after goes") {
    apply(Start{id("a"), id("s1")});
    const Sequence first = registry.last_change();
    apply(Start{id("a"), id("s2")});
    registry.confirm(first);
    registry.roll_back();
    CHECK(registry.active_sessions() == 1);
    CHECK(apply(Start{id("a"), id("s3")}).waits_for > first);
  }
  SUBCASE(
      "a start admitted in the place of an expired one is taken back, and the expired one stays "
      "expired") {
    for (const char* session : {"s1", "s2", "s3"}) apply(Start{id("a"), id(session)});
    store();
    clock.tick(90s);
    CHECK(std::holds_alternative<Granted>(apply(Start{id("a"), id("s4")}).answer));
    registry.roll_back();
    CHECK(std::get<UserSessions>(apply(ListUser{id("a")}).answer).active == 0);
    CHECK(std::get<Gone>(apply(Heartbeat{id("a"), id("s1")}).answer).reason == EndReason::kExpired);
  }
}

// Random lives of a few sessions with commits that succeed, fail and are under way while more is
// decided; after each failure memory must be exactly what it was at the last success, and the
// stored rows must always be the sessions in memory.
TEST_CASE("Registry::roll_back in every order") {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto pick = [&](unsigned below) { return static_cast<int>(random() % below); };
    FakeClock clock;
    Registry registry(Policy{}, seed);
    std::set<std::int64_t> stored;
    std::string good = picture(registry, clock);
    for (int round = 0; round < 20; ++round) {
      // No time passes inside a round: a picture then depends on the sessions alone.
      clock.tick(std::chrono::seconds(pick(40)));
      registry.sweep(static_cast<std::uint32_t>(pick(8)), 1s, clock.now());
      rows_after(stored, {});
      stored = rows_after(stored, registry.take_changes());
      registry.confirm(registry.last_change());
      good = picture(registry, clock);
      std::set<std::int64_t> kept = stored;
      std::string kept_picture = good;
      const int steps = pick(12);
      for (int step = 0; step < steps; ++step) {
        const std::string user(1, static_cast<char>('a' + pick(3)));
        const std::string session(1, static_cast<char>('p' + pick(5)));
        const std::string other(1, static_cast<char>('p' + pick(5)));
        const std::string plan(1, static_cast<char>('x' + pick(2)));
        Start start{id(user), id(session)};
        if (pick(2) == 0) start.details.device = other;
        if (pick(3) == 0) start.details.content = plan;
        if (pick(3) == 0) start.replace = id(other);
        if (pick(3) == 0) start.details.ip = plan;
        if (pick(2) == 0) start.on_limit = OnLimit::kEvictOldest;
        if (pick(4) == 0) start.on_limit = OnLimit::kEvictNewest;
        SetLimit limit{id(user)};
        if (pick(2) == 0) limit.limit.emplace(static_cast<std::uint32_t>(pick(4)));
        if (pick(2) == 0) limit.plan.emplace(id(plan));
        if (pick(4) == 0) limit = {id(user), std::optional<std::uint32_t>(), std::optional<Id>()};
        const Command commands[] = {
            start,
            start,
            start,
            start,
            End{id(user), id(session)},
            End{id(user), id(session)},
            Purge{id(user)},
            limit,
            SetPlan{id(plan), static_cast<std::uint32_t>(pick(4))},
            RemovePlan{id(plan), pick(2) == 0},
        };
        registry.apply(commands[pick(std::size(commands))], clock.now());
        if (pick(4) == 0) {  // a commit of all so far succeeds
          kept = rows_after(kept, registry.take_changes());
          registry.confirm(registry.last_change());
          kept_picture = picture(registry, clock);
        }
      }
      // A repeat renews in memory for good, so a round's repeats at the same instant as the start
      // leave no trace; those of older sessions do: compare names only through the rows' count
      // then.
      registry.roll_back();
      stored = kept;
      CHECK(registry.active_sessions() == stored.size());
      const auto strip = [](std::string text) {
        for (std::size_t at = text.find('/'); at != std::string::npos; at = text.find('/'))
          text.erase(at, 25);
        return text;
      };
      CHECK(strip(picture(registry, clock)) == strip(kept_picture));
    }
  }
}
