#include "session/change_log.hpp"

#include "session/state.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace concur;
using namespace std::chrono_literals;

namespace {

struct Fixture {
  State state{1};
  ChangeLog log;
  std::int64_t rows = 0;

  Slot start(const char* user, const char* session) {
    const auto [slot, gone] = state.table.add(user, session);
    state.session(slot).row = ++rows;
    log.add(
        undo::Started{slot, {gone, gone == kNoSlot ? Int48() : state.session(gone).gone_number()}},
        Insert{});
    return slot;
  }
  void end(Slot slot) {
    state.table.unlink(slot);
    SessionSlot& session = state.session(slot);
    const Int48 started_ms = session.started_ms;
    session.state = SlotState::kEnded;
    session.started_ms = state.next_gone();
    log.add(undo::Removed{slot, started_ms, session.expires_ms}, Remove{session.row});
  }
  void set_limit(const char* user, std::uint32_t limit) {
    auto undo = std::make_unique<undo::Ruled>(undo::Ruled{state.table.keep(user), {}});
    const Slot slot = undo->user.slot();
    undo->before = state.user(slot).rule;
    UserRule rule;
    rule.limit = limit;
    state.set_rule(slot, rule);
    log.add(std::move(undo), PutLimit{});
  }
  std::uint32_t active(const char* user) {
    const Slot slot = state.table.find_user(user);
    return slot == kNoSlot ? 0 : state.user(slot).active;
  }
  bool knows(const char* user) { return state.table.find_user(user) != kNoSlot; }
};

}  // namespace

TEST_CASE("ChangeLog") {
  Fixture fixture;
  ChangeLog& log = fixture.log;
  SUBCASE("numbers changes, and hands each over once") {
    CHECK(log.last() == 0);
    CHECK(log.all_durable());
    fixture.start("abc", "s1");
    fixture.start("abc", "s2");
    CHECK(log.last() == 2);
    CHECK(log.untaken() == 2);
    CHECK(log.take().size() == 2);
    CHECK(log.untaken() == 0);
    CHECK_FALSE(log.all_durable());
    fixture.start("abc", "s3");
    CHECK(log.take().size() == 1);
    log.confirm(2, fixture.state);
    CHECK(log.durable() == 2);
    CHECK_FALSE(log.all_durable());
    log.confirm(3, fixture.state);
    CHECK(log.all_durable());
  }
  SUBCASE("rolls back what is not durable, the latest first, and no further") {
    const Slot first = fixture.start("abc", "s1");
    log.confirm(1, fixture.state);
    fixture.end(first);
    fixture.start("abc", "s1");
    fixture.start("xyz", "s1");
    log.roll_back(fixture.state);
    CHECK(fixture.active("abc") == 1);
    CHECK(fixture.state.is_active(first));
    CHECK_FALSE(fixture.knows("xyz"));
    CHECK(log.untaken() == 0);
    CHECK(log.all_durable());
  }
  SUBCASE("never uses a number again") {
    fixture.start("abc", "s1");
    log.roll_back(fixture.state);
    CHECK(log.durable() == 1);
    fixture.start("abc", "s1");
    CHECK(log.last() == 2);
  }
  SUBCASE("a session that went is remembered once that is durable, and its user as long") {
    const Slot slot = fixture.start("abc", "s1");
    fixture.end(slot);
    log.confirm(1, fixture.state);
    fixture.state.forget_gone(1, Instant(48h));
    CHECK(fixture.knows("abc"));
    log.confirm(2, fixture.state);
    fixture.state.forget_gone(1, Instant(48h));
    CHECK_FALSE(fixture.knows("abc"));
  }
  SUBCASE("one that another of its name follows is forgotten once that is durable") {
    const Slot first = fixture.start("abc", "s1");
    fixture.end(first);
    log.confirm(2, fixture.state);
    const Slot second = fixture.start("abc", "s1");
    SUBCASE("and its slot is given to others") {
      log.confirm(3, fixture.state);
      CHECK(fixture.start("xyz", "s1") == first);
      fixture.state.forget_gone(9, Instant(48h));
      CHECK(fixture.state.is_active(first));
      CHECK(fixture.state.is_active(second));
    }
    SUBCASE("and is remembered again where that is rolled back") {
      log.roll_back(fixture.state);
      CHECK(fixture.state.table.find_session(fixture.state.table.find_user("abc"), "s1") == first);
    }
    SUBCASE("or was before, for its time was over") {
      fixture.state.forget_gone(9, Instant(48h));
      const Slot other = fixture.start("abc", "s2");
      REQUIRE(other == first);
      log.confirm(3, fixture.state);
      CHECK(fixture.state.is_active(other));
    }
  }
  SUBCASE("a user whose rule was taken away stays until that is durable") {
    fixture.set_limit("abc", 5);
    log.confirm(1, fixture.state);
    CHECK(fixture.knows("abc"));
    fixture.set_limit("abc", UserRule::kNotSet);
    CHECK(fixture.knows("abc"));
    SUBCASE("and goes then") {
      log.confirm(2, fixture.state);
      CHECK_FALSE(fixture.knows("abc"));
    }
    SUBCASE("or has it again") {
      log.roll_back(fixture.state);
      CHECK(fixture.state.user(fixture.state.table.find_user("abc")).rule.limit == 5);
    }
  }
  SUBCASE("a user who never had a rule goes with one that is rolled back") {
    fixture.set_limit("abc", 5);
    fixture.set_limit("abc", 6);
    log.roll_back(fixture.state);
    CHECK_FALSE(fixture.knows("abc"));
  }
  SUBCASE("a hold-off that is rolled back keeps nobody") {
    const UserRef user = fixture.state.table.keep("abc");
    fixture.state.hold_offs.add(user.another(), {7, PackedText("s1"), {}, {}, Mark::kHeldOff, {}});
    log.add(undo::HeldOff{user.slot(), 7}, PutHoldOff{});
    CHECK(fixture.state.hold_offs.of(user.slot()).size() == 1);
    log.roll_back(fixture.state);
    CHECK(fixture.state.hold_offs.of(user.slot()).empty());
  }
  SUBCASE("may be destroyed with all that it holds, before the state") {
    fixture.set_limit("abc", 5);
    fixture.end(fixture.start("xyz", "s1"));
  }
}
