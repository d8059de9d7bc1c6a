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

struct Marked {
  Mark mark;
  Viewer viewer;
  Instant since;

  bool is(const Viewer& other) const { return viewer == other; }
  bool has(const Viewer& other) const {
    if (other.kind() == Viewer::Kind::kDevice) return viewer.device == other.device;
    if (other.kind() == Viewer::Kind::kAddress) return viewer.network == other.network;
    return viewer.session == other.session;
  }
  bool has_either(const Viewer& other) const {
    return viewer.session == other.session ||
           (!other.device.empty() && viewer.device == other.device);
  }
};

constexpr Millis kHoldOff = 3min;

// One user's state as plain data: sessions by index, oldest start first.
struct PlainUser {
  std::vector<Known> sessions{};
  std::vector<Marked> marks{};
  std::vector<std::string> replaced{};  // names
  Instant now{};

  std::uint32_t active() const { return static_cast<std::uint32_t>(sessions.size()); }
  std::optional<SessionRef> on_device(const Applicant& start) const {
    return find([start](const Known& each) { return each.device == start.device; });
  }
  std::optional<SessionRef> named(std::string_view session) const {
    return find([session](const Known& each) { return each.session == session; });
  }
  std::optional<SessionRef> oldest() const { return at(0); }
  std::optional<SessionRef> after(SessionRef session) const { return at(session + 1); }
  std::optional<SessionRef> newest() const { return sessions.empty() ? at(0) : at(active() - 1); }
  std::optional<SessionRef> before(SessionRef session) const {
    return session == 0 ? std::nullopt : at(session - 1);
  }
  Described described(SessionRef session) const {
    return {sessions[session].session, sessions[session].device, {}};
  }
  Attributes attributes(SessionRef session) const { return {sessions[session].device, {}, {}, {}}; }
  Millis hold_off(const Viewer& viewer) const {
    return hold_off_left(marks, viewer, kHoldOff, now);
  }
  Millis protection(const Viewer& viewer) const {
    return protection_left(marks, viewer, kHoldOff, now);
  }
  Hands hands(const Viewer& viewer) const { return hands_of(marks, viewer, kHoldOff, now); }
  std::optional<SessionRef> overlapping() const { return std::nullopt; }
  bool pauses_overlaps() const { return false; }
  bool comes_back(const Applicant& start, const Viewer&) const {
    return std::ranges::count(replaced, start.session) > 0;
  }

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
  for (const Displaced& each : admission.displaced) {
    const bool listed = std::ranges::count(admission.replaced, each.session) +
                            std::ranges::count(admission.evicted, each.session) >
                        0;
    CHECK(listed);
  }
  if (admission.hands) {
    text += *admission.hands == Mark::kFoughtOver ? ", fought over" : ", changes hands";
  }
  if (admission.begins_fight) text += " from now on";
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
           const std::vector<Marked>& marks = {}, const std::vector<std::string>& replaced = {}) {
  for (const Case& each : cases) {
    CAPTURE(each.sessions);
    CAPTURE(each.limit);
    CAPTURE(each.start);
    PlainUser user = user_of(each.sessions);
    user.marks = marks;
    user.replaced = replaced;
    const Known start = known(each.start);
    Applicant applicant{start.session, start.device, {}, {}};
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

TEST_CASE("admit, where the newest make room") {
  check(
      {
          {"s1 s2 s3", 3, "new", nullptr, "admitted, evicts s3"},
          {"s1 s2 s3", 2, "new", nullptr, "admitted, evicts s3 s2"},
          {"s1 s2 s3", 2, "new", "s3", "admitted, replaces s3, evicts s2"},
      },
      OnLimit::kEvictNewest, Mode::kEnforce);
}

TEST_CASE("admit, of one who was evicted just now") {
  const Instant now{};
  const std::vector<Marked> held{
      {Mark::kHeldOff, Viewer{.session = "out"}, now - 1min},
      {Mark::kHeldOff, Viewer{.device = "tv"}, now - 1min},
  };
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

TEST_CASE("admit, where who got in by evicting is protected") {
  const Instant now{};
  const auto is_protected = [now](const char* session, Millis ago) {
    return Marked{Mark::kProtected, Viewer{.session = session}, now - ago};
  };
  const std::vector<Marked> marks{is_protected("s1", 1min), is_protected("s3", 2min)};
  check(
      {
          {"s1 s2 s3", 3, "new", nullptr, "admitted, evicts s2"},
          {"s1 s3", 2, "new", nullptr, "denied, held off 60000"},
          {"s1 s2 s3", 2, "new", nullptr, "denied, held off 60000"},
          {"s1 s2 s3", 1, "new", nullptr, "denied, held off 120000"},
          {"s1 s3", 2, "new", "s1", "admitted, replaces s1"},  // not for the limit's sake
          {"s1 s3", 3, "new", nullptr, "admitted"},
      },
      OnLimit::kEvictOldest, Mode::kEnforce, marks);
  check({{"s1 s3", 2, "new", nullptr, "would be denied, held off 60000"}}, OnLimit::kEvictOldest,
        Mode::kObserve, marks);
  // Its own device may.
  check({{"s1@tv s2", 2, "new@tv", nullptr, "admitted, reconnects s1"}}, OnLimit::kEvictOldest,
        Mode::kEnforce, {{Mark::kProtected, Viewer{.device = "tv"}, now}});
}

TEST_CASE("admit, on a device that changes hands") {
  const Instant now{};
  const Viewer tv{.device = "tv"};
  const auto change = [&](Millis ago) { return Marked{Mark::kChangedHands, tv, now - ago}; };
  const std::vector<Case> back{
      {"s1@tv", 2, "s2@tv", nullptr, "admitted, reconnects s1, changes hands"}};
  check(back, OnLimit::kDeny, Mode::kEnforce, {}, {"s2"});
  check(back, OnLimit::kDeny, Mode::kEnforce, {change(1s), change(3min)}, {"s2"});
  check({{"s1@tv", 2, "s2@tv", nullptr, "admitted, reconnects s1"}}, OnLimit::kDeny, Mode::kEnforce,
        {change(1s)}, {"s3"});
  check({{"s1@tv", 2, "s2@tv", nullptr, "admitted, reconnects s1, fought over from now on"}},
        OnLimit::kDeny, Mode::kEnforce, {change(1s), change(2s)}, {"s2"});
  check({{"s1@tv", 2, "s2@tv", nullptr, "admitted, reconnects s1, fought over"}}, OnLimit::kDeny,
        Mode::kEnforce, {change(1s), {Mark::kFoughtOver, tv, now - 2s}}, {"s2"});
  const std::vector<Marked> fought{change(1s), change(2s), {Mark::kFoughtOver, tv, now}};
  check({{"s1@tv", 2, "s2@tv", nullptr, "admitted"}, {"s1@tv", 1, "s2@tv", nullptr, "denied"}},
        OnLimit::kDeny, Mode::kEnforce, fought, {"s2"});
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
  const std::vector<Marked> held{
      {Mark::kHeldOff, Viewer{.device = "tv"}, now - 2min},
      {Mark::kHeldOff, Viewer{.session = "s2"}, now - 1min},
      {Mark::kProtected, Viewer{.session = "s3"}, now},
      {Mark::kOld, {"old", "radio"}, now - 2min},
      {Mark::kHeldOff, {"s5", "radio", "192.0.2.5"}, now - 90s},
  };
  const auto left = [&](std::string_view session, std::string_view device = {},
                        Millis later = 0ms) {
    return hold_off_left(held, viewer_of(session, device, {}), kHoldOff, now + later);
  };
  CHECK(left("s1") == 0ms);
  CHECK(left("s2") == 2min);
  CHECK(left("s2", "tv") == 1min);  // its device says who it is
  CHECK(left("new", "tv") == 1min);
  CHECK(left("new", "phone") == 0ms);
  CHECK(left("tv") == 0ms);
  CHECK(left("s3") == 0ms);
  CHECK(left("s2", {}, 2min - 1ms) == 1ms);
  CHECK(left("s2", {}, 2min) == 0ms);
  // Of an older daemon: by session and by device.
  CHECK(left("old", "phone") == 1min);
  CHECK(left("new", "radio") == 90s);
  CHECK(left("radio") == 0ms);
  // Who leaves out the device, or the address, is known by what is left.
  CHECK(left("s5") == 90s);
  CHECK(hold_off_left(held, viewer_of("new", {}, "192.0.2.5"), kHoldOff, now) == 90s);
  CHECK(hold_off_left(held, viewer_of("new", "phone", "192.0.2.5"), kHoldOff, now) == 0ms);
}

TEST_CASE("evictions_of counts observed ones as they would have been") {
  Admission admission;
  CHECK(evictions_of(admission) == 0);
  admission.reconnected = 1;
  CHECK(evictions_of(admission) == 0);
  admission.replaced = {2};
  admission.evicted = {3, 4, 5};
  admission.displaced = {
      {2, {}, false}, {3, {}, true}, {4, {}, true}};  // and 5 is the viewer's own
  CHECK(evictions_of(admission) == 3);
  admission.displaced = {{2, {}, false}};
  admission.evicted.clear();
  admission.would_evict = {3, 4};
  admission.would_displace = true;
  CHECK(evictions_of(admission) == 2);
}

TEST_CASE("refuses_legacy_repeat above the limit alone, by what the limit counts") {
  CHECK_FALSE(refuses_legacy_repeat({3}, user_of("a b c")));
  CHECK(refuses_legacy_repeat({3}, user_of("a b c d")));
  CHECK_FALSE(refuses_legacy_repeat({kUnlimited}, user_of("a b c d")));
  Terms terms{2};
  terms.counts = Attribute::Kind::kDevice;
  CHECK_FALSE(refuses_legacy_repeat(terms, user_of("a@tv b@tv c@tv d@phone")));
  CHECK(refuses_legacy_repeat(terms, user_of("a@tv b@phone c")));  // none is a value of its own
}
