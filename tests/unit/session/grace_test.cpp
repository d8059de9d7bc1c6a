#include "session/grace.hpp"

#include <doctest/doctest.h>

using namespace concur;
using namespace std::chrono_literals;

namespace {

const Instant kStart = Instant(1h);

// Seen at the start, with so much of a lease of 90 s.
SessionSlot session(Millis lease = 90s) {
  SessionSlot session;
  session.state = SlotState::kActive;
  session.ttl_ms = 90'000;
  session.set_lease(kStart, kStart + lease);
  return session;
}

}  // namespace

TEST_CASE("Grace") {
  Grace grace;
  SessionSlot slot = session();
  SUBCASE("nothing is pending without a suspend, or without sessions") {
    CHECK_FALSE(grace.pending());
    grace.begin(10s, kStart, 0);
    CHECK_FALSE(grace.pending());
  }
  SUBCASE("who was active when it began has a heartbeat interval from its end") {
    grace.begin(300s, kStart + 310s, 1);
    grace.give(slot);
    CHECK(slot.expires() == kStart + 310s + 30s);
    CHECK(slot.last_seen() == kStart);
  }
  SUBCASE("who has longer keeps it") {
    grace.begin(10s, kStart + 20s, 1);
    grace.give(slot);
    CHECK(slot.expires() == kStart + 90s);
  }
  SUBCASE("who had expired when it began stays so, to the millisecond") {
    grace.begin(300s, kStart + 390s, 1);
    grace.give(slot);
    CHECK(slot.expires() == kStart + 90s);
    SessionSlot last = session(90s + 1ms);
    grace.give(last);
    CHECK(last.expires() == kStart + 390s + 30s);
  }
  SUBCASE("who is gone gets none") {
    slot.state = SlotState::kEnded;
    grace.begin(300s, kStart + 310s, 1);
    grace.give(slot);
    CHECK(slot.expires() == kStart + 90s);
  }
  SUBCASE("to give it twice is to give it once, however late") {
    grace.begin(300s, kStart + 310s, 1);
    for (int times = 0; times < 3; ++times) grace.give(slot);
    CHECK(slot.expires() == kStart + 340s);
  }
  SUBCASE("of several suspends each counts, in order") {
    grace.begin(300s, kStart + 310s, 1);
    grace.begin(100s, kStart + 439s, 1);  // it began a second before the lease's end
    grace.give(slot);
    CHECK(slot.expires() == kStart + 469s);
    SessionSlot expired = session(5s);
    grace.give(expired);
    CHECK(expired.expires() == kStart + 5s);
  }
  SUBCASE("is over once each slot there was has been looked at") {
    grace.begin(300s, kStart + 310s, 3);
    for (const Slot seen : {2U, 3U, 4U, 0U}) grace.looked_at(seen);
    CHECK(grace.pending());
    grace.looked_at(1);
    CHECK_FALSE(grace.pending());
  }
  SUBCASE("another suspend begins the round anew") {
    grace.begin(300s, kStart + 310s, 2);
    grace.looked_at(0);
    grace.begin(10s, kStart + 400s, 2);
    grace.looked_at(1);
    CHECK(grace.pending());
    grace.looked_at(0);
    CHECK_FALSE(grace.pending());
  }
}
