#include "fleet/user_fields.hpp"

#include "support/judge_and_registry.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace concur;
using namespace concur::test;
using namespace std::chrono_literals;

namespace {

const Instant kNow{1'795'449'600'000ms};

UserState::Session session_of_every_kind() {
  UserState::Session session;
  session.row.id = 28'727'193'600'001;
  session.row.session = "s{1}";
  session.row.started = kNow - 100s;
  session.row.last_seen = kNow - 10s;
  session.row.expires = kNow + 80s;
  session.row.ttl = 90s;
  session.row.start = 3;
  session.row.details =
      std::make_unique<Details>(Details{"tv", "192.0.2.1", "a film: 2", R"({"a":"d3:x,"})"});
  session.row.overlap = std::make_unique<Overlap>(Overlap{5s, 4});
  session.box = 0xfedcba9876543210;
  return session;
}

UserState::Gone gone_as(std::string session, EndReason reason) {
  UserState::Gone gone;
  gone.row.session = std::move(session);
  gone.row.reason = reason;
  gone.row.at = kNow - Millis(static_cast<int>(reason));
  gone.row.ttl = 90s;
  gone.row.row = 28'727'193'600'000;
  gone.row.start = 7;
  return gone;
}

// With all that a user can have.
UserState user_of_every_kind() {
  UserState state;
  state.user = "u";
  state.sessions.push_back(session_of_every_kind());
  UserState::Session plain;
  plain.row.id = 28'727'193'600'002;
  plain.row.session = "s2";
  plain.row.started = plain.row.last_seen = kNow - 5s;
  plain.row.expires = kNow - 4s;
  plain.row.ttl = 1s;
  state.sessions.push_back(std::move(plain));
  state.gone.push_back(gone_as("e", EndReason::kEnded));
  state.gone.push_back(gone_as("x", EndReason::kExpired));
  state.gone.push_back(gone_as("v", EndReason::kEvicted));
  state.gone.back().row.by = std::make_unique<EvictedBy>(EvictedBy{"s2", "tv", true});
  state.gone.back().far = true;
  state.gone.push_back(gone_as("p", EndReason::kPurged));
  state.gone.back().row.message = "Please call us: 1,2";
  state.gone.push_back(gone_as("o", EndReason::kDenied));
  std::ranges::sort(state.gone, {}, [](const auto& each) { return each.row.at; });
  state.marks.push_back({5, {}, "s1", "tv", kNow - 9s, "192.0.2.1", Mark::kHeldOff});
  state.marks.push_back({5, {}, "s1", "", kNow - 8s, "", Mark::kProtected});
  state.marks.push_back({6, {}, "s1", "tv", kNow - 7s, "", Mark::kChangedHands});
  state.marks.push_back({7, {}, "s1", "tv", kNow - 6s, "2001:db8::", Mark::kFoughtOver});
  state.marks.push_back({8, {}, "s1", "tv", kNow - 5s, "", std::nullopt});
  state.replaced = {{0, kNow - 2s}, {UINT64_MAX, kNow - 1s}};
  state.starts_due = kNow.time_since_epoch() + 8'571'428'571ns;
  state.no_overlap_until = kNow + 10s;
  state.rule = {{}, 4, OnLimit::kEvictNewest, "family"};
  state.block = Block{kNow - 3s, 1h, "Not today: b5:x,"};
  state.set_rest = "z3:new";
  return state;
}

std::vector<std::string> names_of(const UserFields& fields) {
  std::vector<std::string> names;
  for (const engine::Field& each : fields) names.push_back(each.name);
  return names;
}

std::string& value_in(UserFields& fields, std::string_view name) {
  const auto found = std::ranges::find(fields, name, &engine::Field::name);
  REQUIRE(found != fields.end());
  return *found->value;
}

UserFields with(UserFields fields, std::string name, std::string value) {
  std::erase_if(fields, [&name](const engine::Field& each) { return each.name == name; });
  fields.push_back({std::move(name), std::move(value)});
  sort_fields(fields);
  return fields;
}

bool is_unread(const ReadUser& read, std::string_view name) {
  return std::ranges::find(read.unread, name) != read.unread.end();
}

// What every reader of a state relies on.
void check_valid(const UserState& state) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < state.sessions.size(); ++i) {
    const Row& row = state.sessions[i].row;
    CHECK(Id::parse("session", row.session).has_value());
    CHECK(row.id > 0);
    CHECK(row.ttl >= kMinLease);
    CHECK(row.ttl <= kMaxLease);
    CHECK(row.expires <= kNow + row.ttl + 1s);  // boxes know the clock to a round trip or two
    CHECK(row.started.time_since_epoch() >= 0ms);
    if (i > 0) {
      const Row& before = state.sessions[i - 1].row;
      CHECK(before.id <= row.id);
    }
    names.push_back(row.session);
  }
  for (const UserState::Gone& each : state.gone) {
    CHECK(Id::parse("session", each.row.session).has_value());
    CHECK(each.row.at <= kNow);
    CHECK(each.row.ttl <= kMaxLease);
    CHECK((each.row.reason == EndReason::kEvicted) == (each.row.by != nullptr));
    names.push_back(each.row.session);
  }
  std::ranges::sort(names);
  CHECK(std::ranges::adjacent_find(names) == names.end());
  for (const HoldOffRow& each : state.marks) CHECK(each.since <= kNow);
  for (const ReplacedNames::One& each : state.replaced) CHECK(each.since <= kNow);
  if (state.starts_due) CHECK(*state.starts_due <= kNow.time_since_epoch() + 1min);
  if (state.no_overlap_until) CHECK(*state.no_overlap_until <= kNow + 2 * kMaxOverlap);
  if (state.rule.limit) CHECK(*state.rule.limit <= kMaxLimit);
  if (state.block) CHECK(state.block->since <= kNow);
  if (state.block && state.block->length) CHECK(*state.block->length <= kMaxBlock);
}

// A judge can work with it: each heartbeat is answered, and what comes of it can be read again.
void check_works(const UserFields& fields) {
  static Judge judge(unthrottled(), 1, 2);
  ReadUser read = read_user("u", fields, kNow);
  check_valid(read.state);
  const ReadUser again = read_user("u", fields, kNow);
  const Now now{kNow, {}, {}, {}};
  std::size_t active = 0;
  for (const auto& each : read.state.sessions) active += each.row.expires > kNow ? 1 : 0;
  judge.open(std::move(read.state), now);
  const Answer answer = judge.apply(ListUser{id("u")}, 1);
  REQUIRE(std::holds_alternative<UserSessions>(answer));
  CHECK(std::get<UserSessions>(answer).active == active);
  UserState after = judge.close();
  judge.take_notes();
  UserFields changed = fields;
  apply_change(changed, difference(fields, write_user(after), again));
  const ReadUser once_more = read_user("u", changed, kNow);
  check_valid(once_more.state);
  CHECK(once_more.state.sessions.size() == after.sessions.size());
  CHECK(once_more.unread == again.unread);
  for (const std::string& name : again.unread) {
    REQUIRE(value_of(changed, name) != nullptr);
    CHECK(*value_of(changed, name) == *value_of(fields, name));
  }
}

}  // namespace

TEST_CASE("write_user and read_user keep a user of every kind as it is") {
  const UserState state = user_of_every_kind();
  const UserFields fields = write_user(state);
  CHECK(std::ranges::is_sorted(fields, {}, &engine::Field::name));
  const ReadUser read = read_user("u", fields, kNow);
  CHECK(described(read.state) == described(state));
  CHECK(read.unread.empty());
  CHECK(read.unread_sessions.empty());
  CHECK(read.version.empty());
  CHECK(difference(fields, write_user(read.state), read).empty());
}

TEST_CASE("write_user keeps a session readable that was over by its age before it was last seen") {
  UserState state = user_of_every_kind();
  Row& row = state.sessions[0].row;
  row.last_seen = kNow - 10s;
  row.expires = kNow - 30s;  // a shorter age holds since then
  const UserFields fields = write_user(state);
  const ReadUser read = read_user("u", fields, kNow);
  CHECK(read.unread.empty());
  const auto found = std::ranges::find_if(
      read.state.sessions, [](const auto& each) { return each.row.session == "s{1}"; });
  REQUIRE(found != read.state.sessions.end());
  CHECK(found->row.expires == kNow - 30s);
  CHECK(difference(fields, write_user(read.state), read).empty());
  // Once it is no longer active nothing of it stays behind.
  UserState after = user_of_every_kind();
  after.sessions.erase(after.sessions.begin());
  for (const engine::Field& each : difference(fields, write_user(after), read)) {
    CHECK_FALSE(each.value);
  }
}

TEST_CASE("write_user tells older boxes what they can read") {
  UserState state;
  state.user = "u";
  state.sessions.push_back(session_of_every_kind());
  state.gone.push_back(gone_as("o", EndReason::kDenied));
  UserFields fields = write_user(state);
  // Behind what they know, which they carry along; and who was denied was purged, and stays away.
  CHECK(value_in(fields, "ss{1}").ends_with("o8:11388,4,"));
  CHECK(value_in(fields, "go").starts_with("1p-"));
  CHECK(value_in(fields, "go").ends_with("o"));
  SUBCASE("and reads what they wrote") {
    std::string& row = value_in(fields, "ss{1}");
    row.resize(row.size() - std::string_view("o8:11388,4,").size());
    value_in(fields, "go").pop_back();
    const ReadUser read = read_user("u", fields, kNow);
    CHECK(read.unread.empty());
    CHECK(read.state.sessions.at(0).row.overlap == nullptr);
    CHECK(read.state.gone.at(0).row.reason == EndReason::kPurged);
  }
}

TEST_CASE("write_user and read_user make no difference to any decision") {
  for (unsigned seed = 101; seed <= 112; ++seed) {
    CAPTURE(seed);
    JudgeAndRegistry both(seed, [](UserState&& state, Instant now) {
      const UserFields fields = write_user(state);
      ReadUser read = read_user(state.user, fields, now);
      REQUIRE(read.unread.empty());
      return std::move(read.state);
    });
    both.pass(400);
    both.pass(400);
  }
}

TEST_CASE("write_user and read_user let a user start as often at once as the rate says") {
  Policy policy;
  policy.limit = kUnlimited;
  policy.start_rate = 7;  // no whole number of microseconds each
  Judge judge(policy, 1, 2);
  UserFields fields;
  for (int i = 1; i <= 8; ++i) {
    CAPTURE(i);
    ReadUser read = read_user("u", fields, kNow);
    judge.open(std::move(read.state), {kNow, {}, {}, {}});
    const std::string name = "s" + std::to_string(i);
    const Answer answer = judge.apply(Start{id("u"), id(name)}, i);
    CHECK(std::holds_alternative<Granted>(answer) == (i <= 7));
    fields = write_user(judge.close());
  }
}

TEST_CASE("read_user takes any bytes") {
  const UserFields fields = write_user(user_of_every_kind());

  SUBCASE("cut at every byte") {
    for (const std::string& name : names_of(fields)) {
      CAPTURE(name);
      const std::string& whole = *value_of(fields, name);
      for (std::size_t size = 0; size < whole.size(); ++size) {
        CAPTURE(size);
        check_works(with(fields, name, whole.substr(0, size)));
      }
    }
  }
  SUBCASE("with any byte flipped") {
    for (const std::string& name : names_of(fields)) {
      CAPTURE(name);
      for (std::size_t at = 0; at < value_of(fields, name)->size(); ++at) {
        for (const int bit : {0, 1, 4, 7}) {
          UserFields flipped = fields;
          char& byte = value_in(flipped, name)[at];
          byte = static_cast<char>(static_cast<unsigned char>(byte) ^ (1U << bit));
          CAPTURE(at);
          CAPTURE(bit);
          check_works(flipped);
        }
      }
    }
  }
  SUBCASE("of another version, which stay as they are") {
    for (const std::string& name : names_of(fields)) {
      CAPTURE(name);
      UserFields other = fields;
      value_in(other, name).front() = '2';
      const ReadUser read = read_user("u", other, kNow);
      // A lease is read with its session.
      CHECK(is_unread(read, name.front() == 'l' ? "s" + name.substr(1) : name));
      check_works(other);
    }
  }
  SUBCASE("larger than any") {
    for (const std::string& name : names_of(fields)) {
      CAPTURE(name);
      const std::string digits(100'000, 'f');
      check_works(with(fields, name, "1" + digits + "," + digits));
      check_works(with(fields, name, "1d" + std::string(30, '9') + ":x"));
      check_works(with(fields, name, std::string(300'000, '\0')));
    }
    std::string many = "1";
    for (int i = 0; i < 5000; ++i) many += "1,1,";
    const ReadUser read = read_user("u", with(fields, "n", many), kNow);
    CHECK(read.state.replaced.size() <= 512);
  }
  SUBCASE("under names that are no ids, or of no kind that is known") {
    for (const std::string name : {"s", "l", "g", "s\n", "g\x7f", "q", "vv", "rr", "n1", "w2", "h",
                                   "hx", "h5", "h5.", "h5.9", "\xff", "S1"}) {
      CAPTURE(name);
      const UserFields more = with(fields, name, *value_of(fields, "ss2"));
      const ReadUser read = read_user("u", more, kNow);
      CHECK(is_unread(read, name));
      check_works(more);
    }
    const UserFields nameless = with(fields, "", "1");
    const ReadUser read = read_user("u", nameless, kNow);
    CHECK(difference(nameless, write_user(read.state), read).empty());
  }
  SUBCASE("of a session without its lease, or a lease without its session") {
    UserFields alone = fields;
    std::erase_if(alone, [](const auto& each) { return each.name == "ls2"; });
    CHECK(is_unread(read_user("u", alone, kNow), "ss2"));
    check_works(alone);
    alone = fields;
    std::erase_if(alone, [](const auto& each) { return each.name == "ss2"; });
    CHECK(is_unread(read_user("u", alone, kNow), "ls2"));
    check_works(alone);
  }
}

TEST_CASE("read_user believes no time further away than it could have been given for") {
  UserState state = user_of_every_kind();
  const auto read_later_ones = [&state](Millis ahead) {
    state.sessions[0].row.started += ahead;
    state.sessions[0].row.last_seen += ahead;
    state.sessions[0].row.expires += ahead;
    for (auto& each : state.gone) each.row.at += ahead;
    for (auto& each : state.marks) each.since += ahead;
    for (auto& each : state.replaced) each.since += ahead;
    *state.starts_due += ahead;
    const UserFields fields = write_user(state);
    check_works(fields);
    return read_user("u", fields, kNow);
  };
  for (const Millis ahead : {Millis(1h), Millis(24h * 365 * 100)}) {
    CAPTURE(ahead.count());
    const ReadUser read = read_later_ones(ahead);
    const auto found = std::ranges::find_if(
        read.state.sessions, [](const auto& each) { return each.row.session == "s{1}"; });
    REQUIRE(found != read.state.sessions.end());
    CHECK(found->row.expires == kNow + 91s);
    CHECK(read.state.gone.back().row.at == kNow);
    CHECK(read.state.marks.back().since == kNow);
    CHECK(read.state.replaced.back().since == kNow);
    if (read.state.starts_due) {
      CHECK(*read.state.starts_due == kNow.time_since_epoch() + 1min);
    }
  }
}

TEST_CASE("read_user counts a session that it cannot read, by its lease") {
  UserState some = user_of_every_kind();
  some.block.reset();
  UserFields fields = write_user(some);
  value_in(fields, "ss{1}") = "9something else";
  ReadUser read = read_user("u", fields, kNow);
  CHECK(read.unread_sessions == std::vector<std::string>{"s{1}"});
  const auto find = [](const UserState& state) {
    return std::ranges::find_if(state.sessions,
                                [](const auto& each) { return each.row.session == "s{1}"; });
  };
  REQUIRE(find(read.state) != read.state.sessions.end());
  CHECK(find(read.state)->row.expires == kNow + 80s);
  CHECK(find(read.state)->box == 0xfedcba9876543210);

  Judge judge(unthrottled(), 1, 2);
  const auto decide = [&](const Command& command, Instant at) {
    ReadUser known = read_user("u", fields, at);
    judge.open(std::move(known.state), {at, {}, {}, {}});
    Answer answer = judge.apply(command, 7);
    UserState after = judge.close();
    known = read_user("u", fields, at);
    const UserFields change = difference(fields, write_user(after), known);
    apply_change(fields, change);
    return answer;
  };

  SUBCASE("while it is active its row stays, and only its lease is written") {
    const std::string lease = *value_of(fields, "ls{1}");
    CHECK(std::get<Granted>(decide(Heartbeat{id("u"), id("s{1}")}, kNow)).renewed);
    CHECK(*value_of(fields, "ss{1}") == "9something else");
    CHECK(*value_of(fields, "ls{1}") != lease);
  }
  SUBCASE("it is evicted, purged or ended as any other") {
    CHECK(std::get<Ended>(decide(End{id("u"), id("s{1}")}, kNow)).ended);
    CHECK(value_of(fields, "ss{1}") == nullptr);
    CHECK(value_of(fields, "ls{1}") == nullptr);
    CHECK(value_of(fields, "gs{1}") != nullptr);
  }
  SUBCASE("its lease runs out") {
    decide(End{id("u"), id("other")}, kNow + 79s);
    CHECK(value_of(fields, "ss{1}") != nullptr);
    decide(End{id("u"), id("other")}, kNow + 80s);
    CHECK(value_of(fields, "ss{1}") == nullptr);
    CHECK(value_of(fields, "ls{1}") == nullptr);
  }
  SUBCASE("it starts anew, as its lease has run out") {
    const Granted granted = std::get<Granted>(decide(Start{id("u"), id("s{1}")}, kNow + 80s));
    CHECK_FALSE(granted.renewed);
    const ReadUser later = read_user("u", fields, kNow + 80s);
    CHECK(later.unread_sessions.empty());
    REQUIRE(find(later.state) != later.state.sessions.end());
    CHECK(find(later.state)->row.started == kNow + 80s);
  }
}

TEST_CASE("difference lets what is decided anew replace what could not be read") {
  UserState let_in = user_of_every_kind();
  let_in.block.reset();
  UserFields fields = write_user(let_in);
  const auto decide = [&fields](const Command& command) {
    Policy policy = unthrottled();
    policy.limit = kUnlimited;
    Judge judge(policy, 1, 2);
    ReadUser read = read_user("u", fields, kNow);
    judge.open(std::move(read.state), {kNow, {}, {}, {}});
    judge.apply(command, 30'000'000'000'000);
    const UserState after = judge.close();
    apply_change(fields, difference(fields, write_user(after), read_user("u", fields, kNow)));
    return read_user("u", fields, kNow);
  };
  SUBCASE("what operators set") {
    value_in(fields, "r") = "9";
    const ReadUser read = decide(SetLimit{id("u"), std::optional<std::uint32_t>(8)});
    CHECK(read.state.rule.limit == 8);
  }
  SUBCASE("a session, though a lease of its name is there") {
    fields = with(fields, "lnew", "9");
    const ReadUser read = decide(Start{id("u"), id("new")});
    CHECK(read.unread.empty());
    CHECK(read.state.sessions.back().row.session == "new");
  }
  SUBCASE("a session whose lease cannot be read") {
    value_in(fields, "ls{1}") = "9";
    const ReadUser read = decide(Start{id("u"), id("s{1}")});
    CHECK(read.unread.empty());
    CHECK(read.state.sessions.back().row.id == 30'000'000'000'000);
  }
  SUBCASE("why one is gone") {
    fields = with(fields, "gs{1}", "9");
    const ReadUser read = decide(End{id("u"), id("s{1}")});
    CHECK(read.unread.empty());
    CHECK(read.state.gone.back().row.session == "s{1}");
  }
}

TEST_CASE("write_user carries along what a newer one wrote behind what is known here") {
  UserFields fields = write_user(user_of_every_kind());
  for (const char* const name : {"ss{1}", "ls{1}", "gv"}) value_in(fields, name) += "Z7:unknown";
  ReadUser read = read_user("u", fields, kNow);
  CHECK(read.unread.empty());
  CHECK(difference(fields, write_user(read.state), read).empty());
  read.state.sessions.front().row.last_seen += 5s;
  const UserFields change = difference(fields, write_user(read.state), read);
  REQUIRE(names_of(change) == std::vector<std::string>{"ls{1}"});
  CHECK(change[0].value->ends_with("Z7:unknown"));
}

TEST_CASE("difference") {
  const UserFields fields =
      with(with(write_user(user_of_every_kind()), "v", "12345678"), "z", "unknown");
  ReadUser read = read_user("u", fields, kNow);
  CHECK(read.version == "12345678");

  SUBCASE("is nothing where nothing changed, though version and unread fields are not written") {
    CHECK(difference(fields, write_user(read.state), read).empty());
  }
  SUBCASE("takes away what is gone, adds what is new, and sets what changed") {
    read.state.sessions.erase(read.state.sessions.begin());
    read.state.rule.limit = 5;
    read.state.gone.push_back(gone_as("s{1}", EndReason::kEnded));
    const UserFields change = difference(fields, write_user(read.state), read);
    CHECK(names_of(change) == std::vector<std::string>{"gs{1}", "ls{1}", "r", "ss{1}"});
    CHECK(change[0].value.has_value());
    CHECK_FALSE(change[1].value.has_value());
    CHECK(change[2].value.has_value());
    CHECK_FALSE(change[3].value.has_value());
  }
  SUBCASE("makes of the one what the other is") {
    const UserFields after = write_user(UserState{.user = "u"});
    UserFields changed = fields;
    apply_change(changed, difference(fields, after, read));
    CHECK(names_of(changed) == std::vector<std::string>{"v", "z"});
  }
}

TEST_CASE("apply_change and value_of") {
  UserFields fields;
  apply_change(fields, {{"b", "1"}, {"d", "2"}, {"a", "3"}, {"c", std::nullopt}});
  CHECK(fields == UserFields{{"a", "3"}, {"b", "1"}, {"d", "2"}});
  apply_change(fields, {{"b", std::nullopt}, {"d", "4"}});
  CHECK(fields == UserFields{{"a", "3"}, {"d", "4"}});
  REQUIRE(value_of(fields, "d") != nullptr);
  CHECK(*value_of(fields, "d") == "4");
  CHECK(value_of(fields, "b") == nullptr);
  CHECK(value_of(fields, "e") == nullptr);
}

TEST_CASE("version_after names a change and the three before it") {
  CHECK(random_change_number().size() == 8);
  CHECK(random_change_number() != random_change_number());
  std::vector<std::string> numbers;
  std::string version;
  for (int i = 0; i < 6; ++i) {
    numbers.push_back(random_change_number());
    version = version_after(numbers.back(), version);
    CHECK(version.size() == 8 * std::min<std::size_t>(numbers.size(), 4));
    for (std::size_t at = 0; at < numbers.size(); ++at) {
      CHECK(version_has(version, numbers[at]) == (at + 4 >= numbers.size()));
    }
  }
  CHECK_FALSE(version_has("", numbers[0]));
  SUBCASE("and one that somebody else wrote has none") {
    CHECK_FALSE(version_has(version.substr(1), numbers.back()));
    CHECK_FALSE(version_has("1234567", "1234567"));
  }
}

TEST_CASE("user_key and user_of_key") {
  SUBCASE("no name can choose a slot") {
    CHECK(user_key("concur:", "{a}b%") == "concur:u:%7Ba%7Db%25");
    CHECK(user_key("concur:", "a:b") == "concur:u:a:b");
  }
  SUBCASE("each name comes back") {
    for (const std::string user : {"a", "{a}", "%", "%7B", "%%7D{", "u:u:", "\xc3\xa4"}) {
      CAPTURE(user);
      CHECK(user_of_key("concur:", user_key("concur:", user)) == user);
    }
  }
  SUBCASE("a key of anybody else is no user's") {
    for (const std::string key : {"", "concur:", "concur:u", "concur:u:", "other:u:a",
                                  "concur:boxes", "concur:u:%", "concur:u:%7", "concur:u:%7b",
                                  "concur:u:%41", "concur:u:a\n", "concur:u:{a}", "concur:u:}"}) {
      CAPTURE(key);
      CHECK(user_of_key("concur:", key).empty());
    }
  }
}
