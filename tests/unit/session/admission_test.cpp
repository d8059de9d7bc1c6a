#include "session/admission.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;

namespace {

struct Known {
  std::string session;
  std::string device;
};

struct Evicted {
  std::string session;
  std::string device;
  Instant since;
};

// One user's state as plain data: sessions by index, oldest start first.
struct PlainUser {
  std::vector<Known> sessions{};
  std::vector<Evicted> hold_offs{};
  Instant now{};

  std::uint32_t active() const { return static_cast<std::uint32_t>(sessions.size()); }
  std::optional<SessionRef> on_device(std::string_view device) const {
    return find([device](const Known& each) { return each.device == device; });
  }
  std::optional<SessionRef> named(std::string_view session) const {
    return find([session](const Known& each) { return each.session == session; });
  }
  std::optional<SessionRef> oldest() const { return at(0); }
  std::optional<SessionRef> after(SessionRef session) const { return at(session + 1); }
  Millis hold_off(const Applicant& start) const { return hold_off_left(hold_offs, start, now); }

 private:
  std::optional<SessionRef> at(SessionRef index) const {
    return index < sessions.size() ? std::optional(index) : std::nullopt;
  }
  template <class Test>
  std::optional<SessionRef> find(const Test& test) const {
    for (SessionRef i = 0; i < sessions.size(); ++i) {
      if (test(sessions[i])) return i;
    }
    return std::nullopt;
  }
};
static_assert(UserView<PlainUser>);

// "phone@tv": the session, and its device where it has one.
Known known(const std::string& text) {
  const std::size_t at = text.find('@');
  return {text.substr(0, at), at == std::string::npos ? "" : text.substr(at + 1)};
}

PlainUser user_of(const std::string& sessions) {
  PlainUser user;
  for (std::size_t from = 0; from < sessions.size();) {
    const std::size_t to = std::min(sessions.find(' ', from), sessions.size());
    user.sessions.push_back(known(sessions.substr(from, to - from)));
    from = to + 1;
  }
  return user;
}

std::string text_of(const Admission& admission, const PlainUser& user) {
  constexpr const char* kVerdicts[] = {"admitted", "denied", "would be denied"};
  std::string text = kVerdicts[static_cast<int>(admission.verdict)];
  const auto add = [&](const char* what, const std::vector<SessionRef>& refs) {
    if (!refs.empty()) text += std::string(", ") + what;
    for (const SessionRef ref : refs) text += " " + user.sessions[ref].session;
  };
  if (admission.reconnected) add("reconnects", {*admission.reconnected});
  add("replaces", admission.replaced);
  add("evicts", admission.evicted);
  add("would evict", admission.would_evict);
  if (admission.held_off) text += ", held off " + std::to_string(admission.held_off->count());
  return text;
}

struct Case {
  const char* sessions;
  std::uint32_t limit;
  const char* start;
  const char* replaces;  // null for nobody
  const char* expected;
};

void check(const std::vector<Case>& cases, OnLimit on_limit, Mode mode,
           const std::vector<Evicted>& hold_offs = {}) {
  for (const Case& each : cases) {
    CAPTURE(each.sessions);
    CAPTURE(each.limit);
    CAPTURE(each.start);
    PlainUser user = user_of(each.sessions);
    user.hold_offs = hold_offs;
    const Known start = known(each.start);
    Applicant applicant{start.session, start.device, {}};
    if (each.replaces != nullptr) applicant.replaces = each.replaces;
    const Terms terms{each.limit, on_limit, LimitSource::kDefault, mode};
    CHECK(text_of(admit(applicant, terms, user), user) == each.expected);
  }
}

}  // namespace

TEST_CASE("admit, where the limit denies") {
  check(
      {
          {"", 1, "new", nullptr, "admitted"},
          {"s1 s2", 3, "new", nullptr, "admitted"},
          {"s1 s2 s3", 3, "new", nullptr, "denied"},
          {"s1 s2 s3 s4", 3, "new", nullptr, "denied"},
          {"s1 s2 s3 s4", kUnlimited, "new", nullptr, "admitted"},
          // A reconnect keeps its place, above a lowered limit too.
          {"s1@tv s2 s3", 3, "new@tv", nullptr, "admitted, reconnects s1"},
          {"s1@tv s2 s3", 1, "new@tv", nullptr, "admitted, reconnects s1"},
          {"s1@tv", 3, "new@tv", nullptr, "admitted, reconnects s1"},
          {"s1@tv s2 s3", 3, "new@phone", nullptr, "denied"},
          {"s1@tv", kUnlimited, "new@tv", nullptr, "admitted, reconnects s1"},
          // A take-over ends the named one, also where there is room.
          {"s1 s2 s3", 3, "new", "s2", "admitted, replaces s2"},
          {"s1", 3, "new", "s1", "admitted, replaces s1"},
          {"s1 s2", kUnlimited, "new", "s2", "admitted, replaces s2"},
          {"s1 s2 s3", 3, "new", "nobody", "denied"},
          {"s1", 3, "new", "nobody", "admitted"},
          {"s1@tv s2", 3, "new@tv", "s2", "admitted, reconnects s1, replaces s2"},
          {"s1@tv s2", 3, "new@tv", "s1", "admitted, reconnects s1"},
      },
      OnLimit::kDeny, Mode::kEnforce);
  // One is not enough where the limit was lowered further: it is denied, and nobody leaves.
  const PlainUser user = user_of("s1 s2 s3");
  const Admission admission = admit({"new", {}, "s2"}, {2}, user);
  CHECK(admission.verdict == Admission::Verdict::kDenied);
}

TEST_CASE("admit, where the oldest make room") {
  check(
      {
          {"s1 s2", 3, "new", nullptr, "admitted"},
          {"s1 s2 s3", 3, "new", nullptr, "admitted, evicts s1"},
          {"s1 s2 s3 s4", 3, "new", nullptr, "admitted, evicts s1 s2"},
          {"s1 s2 s3", 1, "new", nullptr, "admitted, evicts s1 s2 s3"},
          {"s1 s2 s3", kUnlimited, "new", nullptr, "admitted"},
          {"s1@tv s2 s3", 3, "new@tv", nullptr, "admitted, reconnects s1"},
          {"s1 s2 s3", 3, "new", "s1", "admitted, replaces s1"},
          {"s1 s2 s3", 2, "new", "s1", "admitted, replaces s1, evicts s2"},
          {"s1 s2 s3", 2, "new", "s2", "admitted, replaces s2, evicts s1"},
      },
      OnLimit::kEvictOldest, Mode::kEnforce);
}

TEST_CASE("admit, of one who was evicted just now") {
  const Instant now{};
  const std::vector<Evicted> held{{"out", "tv", now - 1min}};
  const std::vector<Case> cases{
      {"s1 s2 s3", 3, "out", nullptr, "denied, held off 120000"},
      {"s1 s2 s3", 3, "new@tv", nullptr, "denied, held off 120000"},
      {"s1 s2 s3", 3, "new@phone", nullptr, "admitted, evicts s1"},
      {"s1 s2 s3", 3, "out", "s2", "denied, held off 120000"},
      // It may start where there is room, beside whom it wanted to replace.
      {"s1 s2", 3, "out", "s2", "admitted"},
      // A reconnect evicts nobody.
      {"s1@tv s2 s3", 3, "out@tv", nullptr, "admitted, reconnects s1"},
  };
  check(cases, OnLimit::kEvictOldest, Mode::kEnforce, held);
  check(
      {
          {"s1 s2 s3", 3, "out", nullptr, "denied"},  // evicting was never open to it
          {"s1 s2 s3", 3, "out", "s2", "denied, held off 120000"},
          {"s1 s2 s3", 2, "out", "s2", "denied"},  // nor would it have helped
      },
      OnLimit::kDeny, Mode::kEnforce, held);
}

TEST_CASE("admit, observed") {
  check(
      {
          {"s1 s2 s3", 3, "new", nullptr, "would be denied"},
          {"s1 s2 s3", 2, "new", "s2", "would be denied, replaces s2"},
          {"s1 s2", 3, "new", nullptr, "admitted"},
          {"s1 s2 s3", 3, "new", "s2", "admitted, replaces s2"},
      },
      OnLimit::kDeny, Mode::kObserve);
  check(
      {
          {"s1 s2 s3", 3, "new", nullptr, "admitted, would evict s1"},
          {"s1 s2 s3", 2, "new", nullptr, "admitted, would evict s1 s2"},
      },
      OnLimit::kEvictOldest, Mode::kObserve);
}

TEST_CASE("hold_off_left") {
  const Instant now{};
  const std::vector<Evicted> held{{"s1", "tv", now - 2min}, {"s2", "", now - 1min}};
  CHECK(hold_off_left(held, {"s1"}, now) == 1min);
  CHECK(hold_off_left(held, {"s2"}, now) == 2min);
  CHECK(hold_off_left(held, {"s2", "tv"}, now) == 2min);
  CHECK(hold_off_left(held, {"new", "tv"}, now) == 1min);
  CHECK(hold_off_left(held, {"new", "phone"}, now) == 0ms);
  // Sessions without a device have none in common.
  CHECK(hold_off_left(held, {"new", ""}, now) == 0ms);
  CHECK(hold_off_left(held, {"s1"}, now + 1min - 1ms) == 1ms);
  CHECK(hold_off_left(held, {"s1"}, now + 1min) == 0ms);
}

TEST_CASE("evictions_of counts observed ones as they would have been") {
  Admission admission;
  CHECK(evictions_of(admission) == 0);
  admission.reconnected = 1;
  CHECK(evictions_of(admission) == 0);
  admission.replaced = {2};
  admission.evicted = {3, 4};
  CHECK(evictions_of(admission) == 3);
  admission.evicted.clear();
  admission.would_evict = {3, 4};
  CHECK(evictions_of(admission) == 2);
}

TEST_CASE("refuses_legacy_repeat above the limit alone") {
  CHECK_FALSE(refuses_legacy_repeat({3}, 3));
  CHECK(refuses_legacy_repeat({3}, 4));
  CHECK_FALSE(refuses_legacy_repeat({kUnlimited}, 4));
}
