// One short life of the service, from a database that is not there yet to a clean stop and a second
// start, again and again: each time something goes wrong at the next one of its operations on the
// disk, until it has gone wrong at all of them.
#include "base/text.hpp"
#include "machine.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

using namespace concur;
using namespace concur::simulation;

namespace {

using namespace std::chrono_literals;

const Id kUser = *Id::parse("user", "abc");
const Id kOther = *Id::parse("user", "xyz");
// Of two streams at a limit of one the second is let in for a while; the first then ends, or stays.
const Id kChanging = *Id::parse("user", "changes");
const Id kStaying = *Id::parse("user", "stays");

Policy the_policy() {
  Policy policy;
  policy.limit = 3;
  policy.start_rate = 0;
  policy.lease = 600s;
  policy.overlap = 20s;
  return policy;
}

// What may be found of a session, or of a setting, by what its callers were told.
enum class Fate : std::uint8_t { kOut, kIn, kEither };

using Name = std::pair<std::string, std::string>;

class Life {
 public:
  Machine machine{7};
  std::uint64_t told = 0;     // answers that tell of something durable
  std::uint64_t refused = 0;  // 503
  std::uint64_t kept = 0;     // sessions that had to be found again, and were looked for

  // False where the disk did not let it start, and said so.
  bool start() {
    const auto started = machine.start(the_policy());
    if (!started) {
      CHECK_MESSAGE((machine.disk.was_hit() || machine.disk.is_dead()), started.error().message);
    }
    return started.has_value();
  }

  // The whole life; it ends early where the machine dies.
  void play() {
    if (!start() && !again()) return;
    ask_to_start(kUser, "s1");
    ask_to_start(kUser, "s2");
    ask_to_start(kOther, "s1");
    ask_to_start_alone(kChanging, "s1");
    ask_to_start_alone(kStaying, "s1");
    if (!pass()) return;
    ask_to_start_alone(kChanging, "s2");
    ask_to_start_alone(kStaying, "s2");
    ask_to_end(kUser, "s2");
    ask_to_start(kUser, "s3", "tv");
    if (!pass()) return;
    limit_ = Fate::kEither;
    submit(SetLimit{kOther, std::optional<std::uint32_t>(9)}, limit_, Fate::kIn, Fate::kOut);
    ask_to_start(kUser, "s4", "tv");  // its device keeps its slot
    if (!pass()) return;
    ask_to_end(kChanging, "s1");
    if (!pass()) return;
    const bool one_went = fate_of(kChanging, "s1") == Fate::kOut;
    const bool one_stays = fate_of(kStaying, "s1") == Fate::kIn;
    if (!one_went) fate_of(kChanging, "s2") = Fate::kEither;
    fate_of(kStaying, "s2") = Fate::kEither;
    heartbeat(kUser, "s1");
    machine.advance(250s);  // in which the sweeper saves leases
    if (!pass()) return;
    if (one_stays) fate_of(kStaying, "s2") = Fate::kOut;
    ask_to_start(kUser, "s5", {}, OnLimit::kEvictOldest);
    ask_to_start(kUser, "s6", {}, OnLimit::kEvictOldest);
    if (!pass() || !machine.finish()) return;
    if (!start() && !again()) return;
    ask_to_end(kUser, "s6");
    ask_to_start(kOther, "s7");
    pass();
  }

  bool was_hit() { return hit_ || machine.disk.was_hit(); }

  // What is there now, after whatever happened, is what may be there.
  void check() {
    std::set<Name> found;
    for (const Id& user : {kUser, kOther, kChanging, kStaying}) {
      std::size_t active = 0;
      machine.service().submit(
          ListUser{user}, machine.clock.now(), [&](const Result<Answer>& answer) {
            REQUIRE_MESSAGE(answer.has_value(), answer.error().message);
            for (const SessionInfo& each : std::get<UserSessions>(*answer).sessions) {
              found.emplace(each.user, each.session);
              ++active;
            }
          });
      machine.run();
      CHECK(active <= (user.text() == kOther.text() ? 9 : 3));
    }
    for (const auto& [name, fate] : fates_) {
      const std::string what = name.first + "/" + name.second;
      // A start that was not answered any more may have evicted it.
      if (fate == Fate::kIn && !endangered_.contains(name)) {
        CHECK_MESSAGE(found.contains(name), what << " is lost");
        ++kept;
      }
      if (fate == Fate::kOut) CHECK_MESSAGE(!found.contains(name), what << " should not be there");
    }
    machine.service().submit(ShowLimit{kOther}, machine.clock.now(),
                             [&](const Result<Answer>& answer) {
                               REQUIRE(answer.has_value());
                               const std::uint32_t limit = std::get<UserLimit>(*answer).limit;
                               if (limit_ == Fate::kIn) CHECK(limit == 9);
                               if (limit_ == Fate::kOut) CHECK(limit == 3);
                             });
    machine.run();
  }

 private:
  // Everything that was asked is answered, but by a dead machine.
  bool pass() {
    machine.run();
    if (machine.disk.is_dead()) return false;
    CHECK(open_ == 0);
    return true;
  }

  // Once the disk is well it must start, whatever it left before.
  bool again() {
    if (machine.disk.is_dead()) return false;
    hit_ = was_hit();
    machine.disk.mend();
    const bool started = start();
    CHECK(started);
    return started;
  }

  // Where the answer says that it is done, the fate becomes `done`; where it says that nothing
  // happened, it becomes what it was. Meanwhile it may evict whom `evicts` names.
  void submit(const Command& command, Fate& fate, Fate done, Fate before,
              const std::vector<Name>& evicts = {}) {
    fate = Fate::kEither;
    ++open_;
    endangered_.insert(evicts.begin(), evicts.end());
    machine.service().submit(command, machine.clock.now(),
                             [this, &fate, done, before, evicts](const Result<Answer>& answer) {
                               if (machine.disk.is_dead()) return;  // nobody hears it
                               --open_;
                               for (const Name& name : evicts)
                                 endangered_.erase(endangered_.find(name));
                               fate = hear(answer) ? done : before;
                             });
  }

  // Whether it was done.
  bool hear(const Result<Answer>& answer) {
    if (!answer) {
      CHECK(answer.error().kind == ErrorKind::kUnavailable);
      ++refused;
      return false;
    }
    ++told;
    if (const auto* granted = std::get_if<Granted>(&*answer)) {
      for (const std::string& name : granted->evicted) fates_[{granted->user, name}] = Fate::kOut;
    }
    return !std::holds_alternative<Denied>(*answer);
  }

  void ask_to_start(const Id& user, const std::string& session, const std::string& device = {},
                    OnLimit on_limit = OnLimit::kDeny) {
    Start start{user, *Id::parse("session", session)};
    start.details.device = device;
    start.on_limit = on_limit;
    Fate& fate = fates_[{std::string(user.text()), session}];
    std::vector<Name> evicts;
    if (!device.empty()) evicts = {{std::string(user.text()), "s3"}};  // which has that device
    if (on_limit == OnLimit::kEvictOldest) {
      for (const auto& [name, other] : fates_) {
        if (name.first == user.text()) evicts.push_back(name);
      }
    }
    submit(start, fate, Fate::kIn, fate, evicts);
  }

  // At a limit of one.
  void ask_to_start_alone(const Id& user, const std::string& session) {
    Start start{user, *Id::parse("session", session)};
    start.limit = 1;
    Fate& fate = fate_of(user, session);
    submit(start, fate, Fate::kIn, fate);
  }

  Fate& fate_of(const Id& user, const std::string& session) {
    return fates_[{std::string(user.text()), session}];
  }

  void ask_to_end(const Id& user, const std::string& session) {
    Fate& fate = fates_[{std::string(user.text()), session}];
    submit(End{user, *Id::parse("session", session)}, fate, Fate::kOut, fate);
  }

  void heartbeat(const Id& user, const std::string& session) {
    ++open_;
    machine.service().submit(Heartbeat{user, *Id::parse("session", session)}, machine.clock.now(),
                             [this](const Result<Answer>&) { --open_; });
  }

  std::map<Name, Fate> fates_;
  Fate limit_ = Fate::kOut;
  int open_ = 0;  // asked, and not answered
  std::multiset<Name> endangered_;
  bool hit_ = false;
};

struct Tally {
  std::uint64_t lives = 0;
  std::uint64_t told = 0;
  std::uint64_t refused = 0;
  std::uint64_t kept = 0;

  void add(const Life& life) {
    ++lives;
    told += life.told;
    refused += life.refused;
    kept += life.kept;
  }
};

// In the short form each of the operations meets one or two of the ways to fail, in the long form
// all.
std::uint64_t stride() { return std::getenv("CONCUR_TEST_LONG") == nullptr ? 4 : 1; }

}  // namespace

TEST_CASE("the power goes at each operation in turn, and nothing that was told is lost") {
  for (std::size_t what = 0; what <= kSurvivals; ++what) {
    CAPTURE(what);
    Tally tally;
    for (std::uint64_t after = what % stride();; after += stride()) {
      CAPTURE(after);
      Life life;
      life.machine.disk.cut_after(after);
      life.play();
      if (!life.machine.disk.is_dead()) break;
      if (what == kSurvivals) {
        life.machine.kill();
      } else {
        life.machine.cut_power(static_cast<Survival>(what));
      }
      REQUIRE(life.start());
      life.check();
      tally.add(life);
    }
    MESSAGE(tally.lives << " operations, " << tally.told << " answers, " << tally.kept
                        << " sessions kept");
    CHECK(tally.lives * stride() > 100);
    CHECK(2 * tally.kept > tally.lives);  // a new database's tables take many of the operations
    CHECK(tally.refused == 0);
  }
}

TEST_CASE("each operation in turn fails, and whoever is refused is not in, and everybody else is") {
  const std::map<std::string, Fault> faults{
      {"an error", {0, 1, Outcome::kError, 0xFF, false, false}},
      {"an error that leaves a part", {0, 1, Outcome::kError, 0xFF, true, false}},
      {"an error that loses what it should have kept", {0, 1, Outcome::kError, 0xFF, false, true}},
      {"errors from there on", {0, 1'000'000, Outcome::kError, 0xFF, true, true}},
      {"a full disk", {0, 1, Outcome::kFull, bit_of(Operation::kWrite), true, false}},
      {"a full disk from there on",
       {0, 1'000'000, Outcome::kFull, bit_of(Operation::kWrite), true, false}}};
  std::uint64_t first = 0;
  for (const auto& [name, fault] : faults) {
    CAPTURE(name);
    Tally tally;
    for (std::uint64_t after = first++ % stride();; after += stride()) {
      CAPTURE(after);
      Life life;
      Fault next = fault;
      next.after = after;
      life.machine.disk.break_with(next);
      life.play();
      if (!life.was_hit()) break;
      life.machine.disk.mend();
      if (life.machine.is_running()) CHECK(life.machine.finish());
      REQUIRE(life.start());
      life.check();
      tally.add(life);
    }
    MESSAGE(name << ": " << tally.lives << " operations, " << tally.told << " answers, "
                 << tally.refused << " refused");
    CHECK(tally.lives * stride() > 20);
    CHECK(tally.refused > 0);
  }
}
