#include "session/outbox.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace concur;

namespace {

void add(Outbox& outbox, const char* user, Sequence waits_for) {
  Event event;
  event.user = PackedText(user);
  outbox.add(std::move(event), waits_for);
}

std::string taken(Outbox& outbox, Sequence durable) {
  std::string users;
  outbox.take(durable, [&users](const Event& event) { users += event.user.str(); });
  return users;
}

}  // namespace

TEST_CASE("Outbox") {
  Outbox outbox;
  SUBCASE("an event leaves when its change is durable, in order, and once") {
    add(outbox, "a", 0);
    add(outbox, "b", 2);
    add(outbox, "c", 1);
    CHECK(outbox.has(0));
    CHECK(taken(outbox, 1) == "a");
    CHECK_FALSE(outbox.has(1));
    CHECK(taken(outbox, 2) == "bc");
    CHECK(taken(outbox, 9).empty());
  }
  SUBCASE("of what did not happen nothing leaves; what does not depend on it does") {
    add(outbox, "a", 3);
    add(outbox, "b", 1);
    add(outbox, "c", 2);
    outbox.drop_after(1);
    CHECK(taken(outbox, 9) == "b");
  }
  SUBCASE("what reports no change finds no place among too many") {
    for (std::size_t i = 0; i + 1 < Outbox::kMaxTransient; ++i) add(outbox, "a", 1);
    CHECK(outbox.has_room());
    add(outbox, "a", 1);
    CHECK_FALSE(outbox.has_room());
  }
}
