#include "session/viewer.hpp"

#include "support/registry_fixture.hpp"

#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::FakeClock;
using concur::test::id;

namespace {

// A registry, and the rows that a store would keep of it.
class Life {
 public:
  explicit Life(const Rules& rules) : policy_{rules, Protection{.start_rate = 0}, {}} { begin(); }

  Answer ask(const Command& command) {
    const Answer answer = registry_->apply(command, clock.now()).answer;
    store();
    return answer;
  }
  void sweep() {
    registry_->sweep(1000, 1s, clock.now());
    store();
  }
  void restart() {
    registry_.reset();
    begin();
    for (auto& [row, stored] : sessions_) {
      Row copy{
          row,        stored.user, stored.session, stored.started, stored.last_seen, stored.expires,
          stored.ttl, nullptr};
      if (stored.details) copy.details = std::make_unique<Details>(*stored.details);
      REQUIRE(registry_->restore(std::move(copy), clock.now()));
    }
    for (const auto& [row, stored] : hold_offs_) {
      REQUIRE(registry_->restore(stored, clock.now()));
    }
  }
  std::size_t hold_offs() const { return hold_offs_.size(); }
  int fights() const { return fights_; }
  Registry& registry() { return *registry_; }

  FakeClock clock;

 private:
  void begin() { registry_ = std::make_unique<Registry>(policy_, 1); }
  void store() {
    for (Change& change : registry_->take_changes()) {
      if (auto* insert = std::get_if<Insert>(&change)) {
        const std::int64_t row = insert->row.id;
        sessions_.emplace(row, std::move(insert->row));
      }
      if (const auto* remove = std::get_if<Remove>(&change)) sessions_.erase(remove->id);
      if (const auto* put = std::get_if<PutHoldOff>(&change)) hold_offs_[put->row.id] = put->row;
      if (const auto* drop = std::get_if<DropHoldOff>(&change)) hold_offs_.erase(drop->id);
    }
    registry_->confirm(registry_->last_change());
    registry_->take_events([this](Event&& event) {
      if (event.more && event.more->fight) ++fights_;
    });
  }

  int fights_ = 0;
  Policy policy_;
  std::unique_ptr<Registry> registry_;
  std::map<std::int64_t, Row> sessions_;
  std::map<std::int64_t, HoldOffRow> hold_offs_;
};

// "s1@tv#192.0.2.1": a session, its device and its address, as far as they are known.
Start start_of(std::string_view text, OnLimit on_limit) {
  const std::size_t address = std::min(text.find('#'), text.size());
  const std::size_t device = std::min(text.find('@'), address);
  Start start{id("abc"), id(text.substr(0, device))};
  if (device < address) start.details.device = text.substr(device + 1, address - device - 1);
  if (address < text.size()) start.details.ip = text.substr(address + 1);
  start.on_limit = on_limit;
  return start;
}

std::string text_of(const Answer& answer) {
  if (const auto* denied = std::get_if<Denied>(&answer)) {
    if (!denied->hold_off) return "no";
    return "no:" + std::to_string(denied->hold_off->count() / 1000);
  }
  const auto* granted = std::get_if<Granted>(&answer);
  if (granted == nullptr) return "?";
  std::string text = granted->renewed ? "again" : "ok";
  for (const std::string& each : granted->evicted) text += ":" + each;
  return text;
}

// Plays a script and gives it back with what was answered: starts as above and "=" what is expected
// of them ("ok", who was evicted; "again", it was active; "no", for how many seconds it is held
// off). "+60" seconds pass, "-s1" ends, "~" the daemon is started anew.
std::string play(Life& life, OnLimit on_limit, const std::string& script) {
  std::istringstream steps(script);
  std::string played;
  for (std::string step; steps >> step;) {
    played += played.empty() ? "" : " ";
    const std::string what = step.substr(0, step.find('='));
    played += what;
    if (what == "~") {
      life.restart();
    } else if (what[0] == '+') {
      life.clock.tick(std::chrono::seconds(std::stoi(what.substr(1))));
      life.sweep();
    } else if (what[0] == '-') {
      life.ask(End{id("abc"), id(std::string_view(what).substr(1))});
    } else {
      played += "=" + text_of(life.ask(start_of(what, on_limit)));
    }
  }
  return played;
}

struct Case {
  const char* what;
  std::uint32_t limit;
  const char* script;
};

void check(OnLimit on_limit, const std::vector<Case>& cases) {
  for (const Case& each : cases) {
    CAPTURE(each.what);
    Life life(Rules{.limit = each.limit, .lease = 10h});
    CHECK(play(life, on_limit, each.script) == each.script);
  }
}

}  // namespace

TEST_CASE("Who may evict whom: two viewers and one place") {
  check(
      OnLimit::kEvictOldest,
      {
          {"known by session", 1, "a=ok b=ok:a a=no:180 +179 a=no:1 +1 a=ok:b b=no:180"},
          {"known by session, fresh names", 1, "a1=ok b1=ok:a1 a2=no:180 b2=no:180 +180 a3=ok:b1"},
          {"known by address", 1, "a#1=ok b#2=ok:a a#1=no:180 +180 a#1=ok:b b#2=no:180"},
          {"known by address, fresh names", 1,
           "a1#1=ok b1#2=ok:a1 a2#1=no:180 b2#2=ok:b1 a3#1=no:180 +180 a4#1=ok:b2 b3#2=no:180"},
          {"known by device", 1, "a@x=ok b@y=ok:a a@x=no:180 +180 a@x=ok:b b@y=no:180"},
          {"known by device, fresh names", 1,
           "a1@x=ok b1@y=ok:a1 a2@x=no:180 b2@y=ok:b1 a3@x=no:180 +180 a4@x=ok:b2"},
          {"known by device, from fresh addresses", 1,
           "a1@x#1=ok b1@y#2=ok:a1 a2@x#3=no:180 b2@y#4=ok:b1 a3@x#5=no:180"},
          {"two devices of one address are two", 1, "a@x#1=ok b@y#1=ok:a a@x#1=no:180"},
          {"one with a device, one without", 1, "a@x#1=ok b#1=ok:a c#1=ok:b a@x#1=no:180"},
          {"who leaves out device and address is known by the name", 1,
           "a@x#1=ok b@y#2=ok:a a=no:180 a#1=no:180 c#1=no:180"},
          {"an IPv6 address is its network", 1,
           "a#2001:db8::1=ok b#2001:db8:0:1::1=ok:a c#2001:db8::2=no:180 d#2001:db8:0:1::2=ok:b"},
          {"who is held off may start where there is room", 1,
           "a#1=ok b#2=ok:a -b a#1=ok b#2=ok:a a#1=no:180"},
          {"over a restart", 1, "a1#1=ok +1 b1#2=ok:a1 ~ a2#1=no:180 +60 ~ a3#1=no:120 b2#2=ok:b1"},
          {"protected over a restart", 1, "a=ok +1 b=ok:a ~ c=no:180 +180 c=ok:b"},
      });
}

TEST_CASE("Who may evict whom: zapping") {
  check(OnLimit::kEvictOldest,
        {
            {"by channel, from one address", 1, "a#1=ok b#1=ok:a a#1=ok:b b#1=ok:a c#1=ok:b"},
            {"by channel, on one device and from one address", 1,
             "a@x#1=ok b@x#1=ok:a a@x#1=ok:b b@x#1=ok:a a@x#1=ok:b b@x#1=ok:a a@x#1=ok:b"},
            {"while held off, within its own", 2,
             "a#1=ok b#1=ok c#2=ok:a d#1=ok:b e#1=ok:d f#2=ok:c e#1=again"},
            {"while protected", 1, "a#1=ok b#2=ok:a c#2=ok:b d#2=ok:c a#1=no:180"},
            {"over a restart", 1, "a#1=ok ~ b#1=ok:a ~ a#1=ok:b"},
        });
}

TEST_CASE("Who may evict whom: three viewers") {
  check(OnLimit::kEvictOldest,
        {
            {"one place: the second stays", 1,
             "a#1=ok b#2=ok:a c#3=no:180 +60 c#3=no:120 +120 c#3=ok:b a#1=no:180 b#2=no:180"},
            {"two places: the protected one is skipped", 2,
             "a#1=ok b#2=ok c#3=ok:a +60 a#1=no:120 d#4=ok:b e#5=no:120 b#2=no:180 +120 e#5=ok:c"},
            {"three places", 3,
             "a#1=ok b#2=ok c#3=ok d#4=ok:a e#5=ok:b f#6=ok:c g#7=no:180 a#1=no:180"},
            {"three places, by device and session", 3,
             "a@x=ok b=ok c=ok d@y=ok:a e=ok:b a2@x=no:180 b=no:180 d2@y=ok:d f=ok:c g=no:180"},
        });
}

TEST_CASE("Who may evict whom: the newest") {
  check(OnLimit::kEvictNewest, {
                                   {"one place", 1, "a#1=ok b#2=ok:a a#1=no:180 +180 a#1=ok:b"},
                                   {"two places: the protected one is skipped", 2,
                                    "a#1=ok b#2=ok c#3=ok:b d#4=ok:a e#5=no:180"},
                                   {"its own", 2, "a#1=ok b#2=ok c#2=ok:b d#2=ok:c a#1=again"},
                               });
}

TEST_CASE("Who may evict whom: nobody, where the limit denies") {
  check(OnLimit::kDeny, {
                            {"one place", 1, "a#1=ok b#2=no a#1=again"},
                            {"not even its own", 1, "a#1=ok b#1=no"},
                            {"a device reconnects", 1, "a@x=ok b@x=ok:a c@x=ok:b"},
                        });
}

TEST_CASE("A device that changes hands") {
  check(
      OnLimit::kDeny,
      {
          {"by name, three times, and then it counts", 2,
           "a@x=ok b@x=ok:a a@x=ok:b b@x=ok:a a@x=ok:b b@x=ok c@x=no a@x=again b@x=again"},
          {"until less than three lie within hold-off", 1,
           "a@x=ok b@x=ok:a +10 a@x=ok:b +10 b@x=ok:a +10 a@x=ok:b b@x=no +159 b@x=no +1 "
           "b@x=ok:a a@x=no +9 a@x=no +1 a@x=ok:b"},
          {"by address, under fresh names", 1,
           "a1@x#1=ok b1@x#2=ok:a1 a2@x#1=ok:b1 b2@x#2=ok:a2 a3@x#1=ok:b2 b3@x#2=no"},
          {"by name, from fresh addresses", 1,
           "a@x#1=ok b@x#2=ok:a a@x#3=ok:b b@x#4=ok:a a@x#5=ok:b b@x#6=no"},
          {"not under fresh names", 1, "a@x=ok b@x=ok:a c@x=ok:b d@x=ok:c e@x=ok:d f@x=ok:e"},
          {"not where the one before ended", 1,
           "a@x=ok -a b@x=ok -b a@x=ok -a b@x=ok -b a@x=ok -a b@x=ok c@x=ok:b"},
          {"not by zapping", 1, "a@x#1=ok b@x#1=ok:a a@x#1=ok:b b@x#1=ok:a a@x#1=ok:b b@x#1=ok:a"},
          {"three players", 3,
           "a@x=ok b@x=ok:a c@x=ok:b a@x=ok:c b@x=ok:a c@x=ok:b a@x=ok b@x=ok a@x=again"},
          {"is each device's own", 2,
           "a@x=ok b@x=ok:a a@x=ok:b b@x=ok:a a@x=ok:b b@x=ok -b c@y=ok d@y=ok:c"},
          {"over a restart", 1,
           "a@x=ok b@x=ok:a +1 a@x=ok:b +1 b@x=ok:a +1 a@x=ok:b ~ b@x=no ~ +177 b@x=no +1 "
           "b@x=ok:a"},
          {"a reconnect takes the session of its own address", 2,
           "a@x#1=ok b@x#2=ok:a a@x#1=ok:b b@x#2=ok:a a@x#1=ok:b b@x#2=ok +180 c@x#2=ok:b "
           "d@x#1=ok:a e@x#3=ok:c"},
      });
}

TEST_CASE("A device that is fought over identifies nobody") {
  check(OnLimit::kEvictOldest,
        {
            {"known by session then", 1,
             "a@x=ok b@x=ok:a a@x=ok:b b@x=ok:a a@x=ok:b b@x=ok:a a@x=no:180 c@x=no:180"},
            {"known by address then", 1,
             "a@x#1=ok b@x#2=ok:a a@x#1=ok:b b@x#2=ok:a a@x#1=ok:b b@x#2=ok:a c@x#2=ok:b "
             "a@x#1=no:180 d@x#1=no:180 e@y#1=no:180"},
        });
}

TEST_CASE("Hold-off, switched off") {
  Life life(Rules{.limit = 1, .lease = 10h, .hold_off = 0ms});
  const char* script =
      "a#1=ok b#2=ok:a a#1=ok:b b#2=ok:a x@x=ok:b y@x=ok:x x@x=ok:y y@x=ok:x x@x=ok:y y@x=ok:x";
  CHECK(play(life, OnLimit::kEvictOldest, script) == script);
  CHECK(life.hold_offs() == 0);
}

TEST_CASE("Hold-off is as long as the policy says, also of what happened before") {
  Life life(Rules{.limit = 1, .lease = 10h});
  CHECK(play(life, OnLimit::kEvictOldest, "a=ok b=ok:a") == "a=ok b=ok:a");
  Policy longer{
      Rules{.limit = 1, .lease = 10h, .hold_off = 10min}, Protection{.start_rate = 0}, {}};
  life.registry().set_policy(longer, life.clock.now());
  CHECK(play(life, OnLimit::kEvictOldest, "+240 a=no:360") == "+240 a=no:360");
}

TEST_CASE("Rows of hold-offs go when they are over") {
  Life life(Rules{.limit = 1, .lease = 10h});
  play(life, OnLimit::kEvictOldest, "a#1 b#2 c@x d@x");
  CHECK(life.hold_offs() == 2);
  play(life, OnLimit::kEvictOldest, "+179");
  CHECK(life.hold_offs() == 2);
  play(life, OnLimit::kEvictOldest, "+1");
  CHECK(life.hold_offs() == 0);
}

namespace {

// A player that starts again as soon as it learns that it was evicted, and tries again when it is
// denied.
struct Fighter {
  std::string name;
  std::string device;
  std::string address;
  bool fresh_names = false;
  int streams = 0;
  bool plays = false;
  std::string session = name;

  Start start(OnLimit on_limit) {
    ++streams;
    if (fresh_names) session = name + std::to_string(streams);
    Start start{id("abc"), id(session)};
    start.details.device = device;
    start.details.ip = address;
    start.on_limit = on_limit;
    return start;
  }

  // True where it took the place of another.
  bool act(Life& life, OnLimit on_limit) {
    if (plays && std::holds_alternative<Granted>(life.ask(Heartbeat{id("abc"), id(session)}))) {
      return false;
    }
    const Answer answer = life.ask(start(on_limit));
    const auto* granted = std::get_if<Granted>(&answer);
    plays = granted != nullptr;
    return plays && !granted->evicted.empty();
  }
};

struct Week {
  int most_an_hour = 0;  // take-overs
  int takeovers = 0;
  int fights = 0;  // that were told of
  std::size_t most_rows = 0;
};

Week fight(Fighter one, Fighter other, OnLimit on_limit) {
  Life life(Rules{.limit = 1});
  Week week;
  for (int hour = 0; hour < 7 * 24; ++hour) {
    int takeovers = 0;
    for (int second = 0; second < 3600; second += 10) {
      life.clock.tick(5s);
      takeovers += one.act(life, on_limit) ? 1 : 0;
      life.clock.tick(5s);
      takeovers += other.act(life, on_limit) ? 1 : 0;
      if (second % 60 == 0) life.sweep();
      week.most_rows = std::max(week.most_rows, life.hold_offs());
    }
    week.takeovers += takeovers;
    week.most_an_hour = std::max(week.most_an_hour, takeovers);
  }
  week.fights = life.fights();
  return week;
}

}  // namespace

TEST_CASE("Two players fight over one place for a week") {
  SUBCASE("known by nothing, under fresh names") {
    const Week week = fight({"a", "", "", true}, {"b", "", "", true}, OnLimit::kEvictOldest);
    CHECK(week.takeovers > 7 * 24 * 15);
    CHECK(week.most_an_hour <= 21);
    CHECK(week.most_rows <= 6);
    CHECK(week.fights == 0);
  }
  SUBCASE("known by their addresses, under fresh names") {
    const Week week =
        fight({"a", "", "192.0.2.1", true}, {"b", "", "192.0.2.2", true}, OnLimit::kEvictNewest);
    CHECK(week.most_an_hour <= 21);
    CHECK(week.most_rows <= 6);
  }
  SUBCASE("known by their devices") {
    const Week week = fight({"a", "x", ""}, {"b", "y", ""}, OnLimit::kEvictOldest);
    CHECK(week.most_an_hour <= 21);
    CHECK(week.most_rows <= 6);
  }
  SUBCASE("with one device between them, where the limit denies") {
    const Week week = fight({"a", "x", ""}, {"b", "x", ""}, OnLimit::kDeny);
    CHECK(week.takeovers > 7 * 24 * 30);
    CHECK(week.most_an_hour <= 63);
    CHECK(week.most_rows <= 6);
    CHECK(week.fights == 1);
  }
  SUBCASE("with one device between them, where the limit evicts") {
    const Week week = fight({"a", "x", ""}, {"b", "x", ""}, OnLimit::kEvictOldest);
    CHECK(week.most_an_hour <= 84);
    CHECK(week.most_rows <= 12);
    CHECK(week.fights == 1);
  }
  SUBCASE("with one device between them, from two addresses and under fresh names") {
    const Week week =
        fight({"a", "x", "192.0.2.1", true}, {"b", "x", "192.0.2.2", true}, OnLimit::kEvictOldest);
    CHECK(week.most_an_hour <= 84);
    CHECK(week.most_rows <= 12);
    CHECK(week.fights == 1);
  }
}
