// The driver's part that makes up commands.
#include "base/text.hpp"
#include "driver.hpp"

#include <vector>

namespace concur::simulation {

namespace {

using namespace std::chrono_literals;

const std::vector<std::string> kSessions{"s0", "s1", "s2", "s3", "s4", "s5", "s6"};
const std::vector<std::string> kPlans{"p0", "p1", "p2"};
const std::vector<Millis> kTtls{3s, 9s, 30s, 3600s};

}  // namespace

Id Driver::user() { return *Id::parse("user", kUsers[random_.below(kUsers.size())]); }
Id Driver::session() { return *Id::parse("session", kSessions[random_.below(kSessions.size())]); }

OnLimit Driver::any_on_limit() {
  if (random_.one_in(2)) return OnLimit::kDeny;
  return random_.one_in(3) ? OnLimit::kEvictNewest : OnLimit::kEvictOldest;
}

Start Driver::any_start() {
  Start start{user(), session()};
  if (random_.one_in(5)) start.ttl = kTtls[random_.below(kTtls.size())];
  if (random_.one_in(8)) start.limit = static_cast<std::uint32_t>(random_.below(5));
  if (random_.one_in(3)) start.details.device = text::format("d{}", random_.below(3));
  if (random_.one_in(3)) start.details.ip = text::format("192.0.2.{}", random_.below(3));
  if (random_.one_in(6)) start.details.content = text::format("c{}", random_.below(3));
  if (random_.one_in(10)) start.details.meta = text::format(R"({{"n":{}}})", random_.below(3));
  if (random_.one_in(5)) {
    start.on_limit = any_on_limit();
  }
  if (random_.one_in(6)) start.replace = session();
  if (random_.one_in(20)) {
    start.replace.reset();
    start.replace_all = true;
  }
  start.refuse_repeat_above_limit = random_.one_in(10);
  start.keeps_token = random_.one_in(6);
  return start;
}

Command Driver::any_operator_command() {
  const Id plan = *Id::parse("plan", kPlans[random_.below(kPlans.size())]);
  const auto limit = static_cast<std::uint32_t>(random_.below(5));
  const auto on_limit = any_on_limit();
  // Whether one that is let in for a while stays is judged by what holds when somebody looks, and
  // plans change without a look at anybody.
  const std::uint64_t which = random_.below(9);
  if (which >= 2 && which <= 4 && model_.has_overlaps()) return ShowLimit{user()};
  switch (which) {
    case 0:
    case 1: {
      SetLimit set{user()};
      if (random_.one_in(2)) {
        set.limit.emplace();
        if (random_.one_in(2)) *set.limit = limit;
      }
      if (random_.one_in(2)) {
        set.plan.emplace();
        if (random_.one_in(2)) *set.plan = plan;
      }
      if (random_.one_in(3)) {
        set.on_limit.emplace();
        if (random_.one_in(2)) *set.on_limit = on_limit;
      }
      return set;
    }
    case 2: {
      SetPlan set{plan};
      if (!random_.one_in(4)) set.limit = limit;
      if (random_.one_in(3)) {
        set.on_limit.emplace();
        if (random_.one_in(2)) *set.on_limit = on_limit;
      }
      return set;
    }
    case 3:
      return RemovePlan{plan, random_.one_in(2)};
    case 4:
      return ShowPlan{plan};
    case 5: {
      Purge purge;
      if (!random_.one_in(4)) purge.user = user();
      if (random_.one_in(2)) purge.idle = Millis(random_.below(15'000));
      purge.dry_run = random_.one_in(3);
      if (random_.one_in(4)) purge.older_than = Millis(random_.below(15'000));
      if (random_.one_in(4)) purge.ip = text::format("192.0.2.{}", random_.below(3));
      if (random_.one_in(4)) purge.device = text::format("d{}", random_.below(3));
      if (random_.one_in(6)) purge.content = text::format("c{}", random_.below(3));
      if (random_.one_in(4)) purge.block = Millis(random_.between(1, 30'000));
      purge.blocks_anyway = purge.user.has_value();
      if (random_.one_in(2)) purge.message = text::format("m{}", random_.below(3));
      return purge;
    }
    case 6: {
      SetBlock block{user()};
      if (!random_.one_in(4)) block.length = Millis(random_.between(1, 30'000));
      if (random_.one_in(2)) block.message = text::format("m{}", random_.below(3));
      return block;
    }
    case 7:
      return Unblock{user()};
    default:
      return ShowLimit{user()};
  }
}

Command Driver::any_command() {
  const std::uint64_t which = random_.below(20);
  if (which < 9) return any_start();
  if (which < 14) {
    Heartbeat beat{user(), session()};
    if (random_.one_in(8)) beat.ttl = kTtls[random_.below(kTtls.size())];
    return beat;
  }
  if (which < 17) {
    return End{user(), session(), {}, random_.one_in(4) ? std::string("bye") : std::string()};
  }
  if (which < 18) return ListUser{user()};
  return any_operator_command();
}

}  // namespace concur::simulation
