#include "session/table.hpp"

#include "session/user_ref.hpp"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

using namespace concur;

namespace {

// A table, and beside it the sessions it must find.
struct Pair {
  Table table{1};
  std::map<std::string, Slot> active;
  std::map<std::string, Slot> gone;
  std::vector<Slot> forgotten;  // gone ones in whose place there is another

  void start(const std::string& name) {
    active[name] = table.add("abc", name).slot;
    const auto before = gone.find(name);
    if (before == gone.end()) return;
    forgotten.push_back(before->second);
    gone.erase(before);
  }
  void end(const std::string& name) {
    const Slot slot = active.at(name);
    table.unlink(slot);
    table.session(slot).state = SlotState::kEnded;
    gone[name] = slot;
    active.erase(name);
  }
  void put_back(const std::string& name) {
    table.relink(gone.at(name));
    active[name] = gone.at(name);
    gone.erase(name);
  }
  void forget_gone() {
    for (const auto& [name, slot] : gone) table.release(slot);
    for (const Slot slot : forgotten) table.release(slot);
    gone.clear();
    forgotten.clear();
  }

  void check() const {
    const Slot user = table.find_user("abc");
    const Slot other = table.find_user("abd");
    CHECK(table.active_sessions() == active.size());
    for (const auto* all : {&active, &gone}) {
      for (const auto& [name, slot] : *all) {
        CAPTURE(name);
        CHECK(table.find_session(user, name) == slot);
        CHECK(table.find_session(user, name + "x") == kNoSlot);
        CHECK(table.find_session(other, name) == kNoSlot);
      }
    }
  }
};

std::string name_of(unsigned number) {
  const std::string digits = std::to_string(number);
  return number % 3 == 0 ? "a name that is long enough for the heap " + digits : digits;
}

}  // namespace

TEST_CASE("Table finds a user's sessions, however many, active and gone") {
  Pair pair;
  const UserRef abc = pair.table.keep("abc");
  const UserRef abd = pair.table.keep("abd");
  for (unsigned i = 0; i < 40; ++i) {
    pair.start(name_of(i));
    pair.check();
  }
  SUBCASE("the oldest going first") {
    for (unsigned i = 0; i < 40; ++i) {
      pair.end(name_of(i));
      pair.check();
    }
  }
  SUBCASE("the latest going first, and each back again") {
    for (unsigned i = 40; i > 0; --i) pair.end(name_of(i - 1));
    pair.check();
    for (unsigned i = 0; i < 40; ++i) {
      pair.put_back(name_of(i));
      pair.check();
    }
  }
  SUBCASE("another in the place of one that is gone") {
    for (unsigned i = 0; i < 35; ++i) pair.end(name_of(i));
    for (unsigned i = 0; i < 40; i += 2) {
      if (i < 35) pair.start(name_of(i));
      pair.check();
    }
    pair.forget_gone();
    pair.check();
    CHECK(pair.table.find_session(pair.table.find_user("abc"), name_of(1)) == kNoSlot);
  }
  SUBCASE("coming and going at random") {
    std::mt19937 random(7);
    for (int step = 0; step < 2000; ++step) {
      const std::string name = name_of(static_cast<unsigned>(random() % 20));
      if (pair.active.count(name) == 0) {
        pair.start(name);
      } else {
        pair.end(name);
        if (random() % 4 == 0) pair.put_back(name);
      }
      if (random() % 50 == 0) pair.forget_gone();
      pair.check();
    }
  }
}

TEST_CASE("Table::add_absent adds only what is not there, gone ones included") {
  Table table(1);
  const Slot first = table.add_absent("abc", "s1");
  REQUIRE(first != kNoSlot);
  CHECK(table.add_absent("abc", "s1") == kNoSlot);
  CHECK(table.add_absent("abc", "s2") != kNoSlot);
  CHECK(table.add_absent("xyz", "s1") != kNoSlot);
  table.unlink(first);
  table.session(first).state = SlotState::kEnded;
  CHECK(table.add_absent("abc", "s1") == kNoSlot);
  CHECK(table.active_sessions() == 2);
  CHECK(table.active_users() == 2);
}

TEST_CASE("Table::run_prefetches changes nothing, whoever was prefetched") {
  Table table(1);
  table.run_prefetches();
  const auto add = [&table](const std::string& user, unsigned sessions) {
    for (unsigned i = 0; i < sessions; ++i) table.add(user, name_of(i));
  };
  add("few", 3);
  add("crowded", 40);
  const UserRef none = table.keep("none");
  for (const char* user : {"few", "absent", "crowded", "none", "few", ""}) table.prefetch(user);
  table.run_prefetches();
  for (int i = 0; i < 10'000; ++i) table.prefetch("few");
  table.run_prefetches();
  CHECK(table.active_sessions() == 43);
  CHECK(table.find_user("absent") == kNoSlot);
  CHECK(table.add_absent("few", name_of(2)) == kNoSlot);
  CHECK(table.add_absent("few", name_of(3)) != kNoSlot);
}

TEST_CASE("Table: several sessions on one device") {
  Table table(1);
  const auto add = [&table](const char* session) {
    const Slot slot = table.add("abc", session).slot;
    table.set_details(slot, {"tv", "", "", ""});
    return slot;
  };
  const Slot first = add("s1");
  const Slot user = table.session(first).user;
  const auto shares = [&] { return bool{table.user(user).shares_device}; };
  CHECK_FALSE(shares());
  const Slot second = add("s2");
  const Slot third = add("s3");
  CHECK(shares());
  CHECK(table.find_device(user, "tv") == first);
  table.unlink(first);
  CHECK(table.find_device(user, "tv") == second);
  table.unlink(second);
  CHECK(table.find_device(user, "tv") == third);
  table.relink(second);
  table.relink(first);
  CHECK(table.find_device(user, "tv") == third);
  for (const Slot each : {third, second, first}) table.unlink(each);
  CHECK(table.find_device(user, "tv") == kNoSlot);
  CHECK_FALSE(shares());
}
