#pragma once

#include "session/judge.hpp"
#include "session/registry.hpp"
#include "support/described.hpp"
#include "support/moments.hpp"
#include "support/registry_fixture.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace concur::test {

// One history, by seed, told to a registry and to a judge that knows a user only while one command
// about it is decided. Whatever comes of each, the other says the same.
class JudgeAndRegistry {
 public:
  // What becomes of a user's state in between; `now` is when it is asked for again.
  using Keep = std::function<UserState(UserState&& state, Instant now)>;

  JudgeAndRegistry(unsigned seed, Keep keep)
      : keep_(std::move(keep)),
        random_(seed),
        hold_off_(once_in(4) ? Millis(0) : Millis(std::chrono::seconds(20 + dice(60)))),
        longest_(once_in(3) ? std::chrono::seconds(40 + dice(200)) : Millis(0)),
        overlap_(once_in(2) ? Millis(0) : Millis(2000 + dice(20'000))),
        policy_(policy()),
        registry_(policy_, 1, kNamesSeed),
        judge_(policy_, 2, kNamesSeed) {
    registry_.publish_renewals(true);
    judge_.publish_renewals(true);
    clock_.set_wall(clock_.now().wall() + Millis(seed));
  }

  void pass(int steps) {
    for (int i = 0; i < steps; ++i) step();
    compare_what_is_left();
  }

  // How often each answer was given, by its number in the variant.
  const std::map<std::size_t, int>& answers() const { return answers_; }
  std::size_t recorded() const { return of_registry_.size(); }

 private:
  static constexpr std::uint64_t kNamesSeed = 7;
  static constexpr const char* kUsers[] = {"ann", "{ben}%", "cy"};
  static constexpr const char* kSessions[] = {"s1", "s2", "s3", "s4", "s5", "s6", "s7"};
  static constexpr const char* kDevices[] = {"", "tv", "phone", "tablet"};
  static constexpr const char* kAddresses[] = {
      "", "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "2001:db8:1::1"};
  static constexpr const char* kPlans[] = {"basic", "family"};

  std::uint32_t dice(std::uint32_t sides) { return static_cast<std::uint32_t>(random_() % sides); }
  bool once_in(std::uint32_t many) { return dice(many) == 0; }
  template <std::size_t N>
  const char* one_of(const char* const (&names)[N]) {
    return names[dice(N)];
  }
  OnLimit any_on_limit() { return static_cast<OnLimit>(dice(3)); }

  Policy policy() {
    Policy policy;
    policy.limit = 1 + dice(3);
    policy.on_limit = any_on_limit();
    policy.hold_off = hold_off_;
    policy.lease = std::chrono::seconds(30 + dice(60));
    policy.mode = once_in(5) ? Mode::kObserve : Mode::kEnforce;
    constexpr std::uint32_t kRates[] = {0, 3, 7, 200};
    policy.start_rate = kRates[dice(4)];
    policy.max_sessions = 0;
    policy.longest = longest_;
    policy.overlap = once_in(5) ? Millis(0) : overlap_;
    if (once_in(3)) policy.denial = "{user} {limit} {active} {attempted}";
    return policy;
  }

  // Some of the session's last tokens, or none.
  std::optional<StartToken> any_token(const char* user, const char* session) {
    const auto& known = tokens_[{user, session}];
    if (known.empty() || once_in(3)) return std::nullopt;
    return known[known.size() - 1 - dice(std::min<std::uint32_t>(3, known.size()))];
  }

  Command any_command(const char* user) {
    const char* const session = one_of(kSessions);
    const std::uint32_t kind = dice(34);
    if (kind < 15) {
      Start start{id(user), id(session)};
      if (once_in(4)) start.ttl = std::chrono::seconds(5 + dice(100));
      if (once_in(8)) start.limit = dice(4);
      start.details = {one_of(kDevices), one_of(kAddresses), once_in(3) ? "film" : "",
                       once_in(5) ? "{\"a\":1}" : ""};
      if (once_in(3)) start.on_limit = any_on_limit();
      if (once_in(6)) start.replace = id(one_of(kSessions));
      if (once_in(12)) {
        start.replace.reset();
        start.replace_all = true;
      }
      start.refuse_repeat_above_limit = once_in(8);
      start.start = any_token(user, session);
      start.keeps_token = once_in(8);
      start.never_revives = once_in(8);
      return start;
    }
    if (kind < 23) {
      Heartbeat beat{id(user), id(session)};
      if (once_in(4)) beat.ttl = std::chrono::seconds(5 + dice(100));
      beat.start = any_token(user, session);
      return beat;
    }
    if (kind < 26) {
      return End{id(user), id(session), any_token(user, session), once_in(3) ? "Good night." : ""};
    }
    if (kind < 27) return any_purge(user);
    if (kind >= 32) return any_block(user);
    if (kind < 28) return ShowLimit{id(user)};
    if (kind < 29) {
      SetLimit set{id(user)};
      if (once_in(2)) {
        set.limit = once_in(2) ? std::nullopt : std::optional<std::uint32_t>(1 + dice(3));
      }
      if (once_in(2)) set.plan = once_in(3) ? std::nullopt : std::optional(id(one_of(kPlans)));
      if (once_in(2)) {
        set.on_limit = once_in(2) ? std::nullopt : std::optional(any_on_limit());
      }
      return set;
    }
    return ListUser{id(user), {}, once_in(3) ? 2 : kMaxListed};
  }

  Purge any_purge(const char* user) {
    Purge purge{id(user), std::chrono::seconds(dice(30)), once_in(3)};
    if (once_in(4)) purge.older_than = std::chrono::seconds(dice(60));
    if (once_in(4)) purge.device = one_of(kDevices);
    if (once_in(4)) purge.ip = one_of(kAddresses);
    if (once_in(4)) purge.content = "film";
    if (once_in(4)) purge.meta = {{"a", "1"}};
    if (once_in(3)) purge.block = std::chrono::seconds(1 + dice(100));
    purge.blocks_anyway = once_in(2);
    if (once_in(2)) purge.message = "Please call us.";
    return purge;
  }
  Command any_block(const char* user) {
    if (once_in(3)) return Unblock{id(user)};
    if (once_in(3)) return ShowBlock{id(user)};
    SetBlock block{id(user), {}, once_in(2) ? "Not today." : ""};
    if (!once_in(4)) block.length = std::chrono::seconds(1 + dice(30));
    return block;
  }

  void step() {
    clock_.tick(once_in(200)  ? Millis(std::chrono::hours(1))
                : once_in(15) ? Millis(dice(100'000))
                              : Millis(dice(3000)));
    if (once_in(100)) return change_policy();
    if (once_in(40)) return change_plan();
    const char* const user = one_of(kUsers);
    if (once_in(20)) return expire(user);
    ask(user, any_command(user));
  }

  void ask(const char* user, const Command& command) {
    const Now now = clock_.now();
    start_ += 16;
    registry_.number_from(start_);
    const Answer expected = registry_.apply(command, now).answer;
    judge_.open(keep_(std::move(state_of(user)), now.instant), now);
    const Answer answer = judge_.apply(command, start_);
    close(user, now);
    REQUIRE(described(answer) == described(expected));
    ++answers_[answer.index()];
    if (const auto* granted = std::get_if<Granted>(&answer)) {
      tokens_[{user, granted->session}].push_back(granted->start);
    }
  }
  void expire(const char* user) {
    const Now now = clock_.now();
    registry_.expire(user, now);
    judge_.open(keep_(std::move(state_of(user)), now.instant), now);
    judge_.expire();
    close(user, now);
  }
  void close(const char* user, const Now& now) {
    state_of(user) = judge_.close();
    judge_.count(user, judge_.take_notes(), now);
    compare_events();
  }
  UserState& state_of(const char* user) {
    UserState& state = states_[user];
    state.user = user;
    return state;
  }

  void change_policy() {
    policy_ = policy();
    registry_.set_policy(policy_, clock_.now());
    judge_.set_policy(policy_, clock_.now());
    compare_events();
  }
  // How many users have it, only the registry knows.
  void change_plan() {
    const Now now = clock_.now();
    const char* const plan = one_of(kPlans);
    Command command = RemovePlan{id(plan), true};
    if (!once_in(3)) command = SetPlan{id(plan), 1 + dice(3), std::optional(any_on_limit())};
    registry_.apply(command, now);
    judge_.apply_to_plans(command, now);
    compare_events();
  }

  void compare_events() {
    for (Change& each : registry_.take_changes()) {
      if (auto* part = std::get_if<AddUsage>(&each)) of_registry_.push_back(std::move(*part));
    }
    registry_.confirm(registry_.last_change());
    std::vector<Event> expected;
    registry_.take_events([&expected](Event&& each) { expected.push_back(std::move(each)); });
    REQUIRE(described(judge_.take_events()) == described(expected));
  }

  void compare_what_is_left() {
    const Now now = clock_.now();
    registry_.flush_usage(100, now);
    judge_.flush_usage(100, now);
    compare_events();
    for (AddUsage& each : judge_.take_usage()) of_judge_.push_back(std::move(each));
    REQUIRE(of_judge_.size() == of_registry_.size());
    for (std::size_t i = 0; i < of_judge_.size(); ++i) {
      REQUIRE(of_judge_[i].user == of_registry_[i].user);
      REQUIRE(of_judge_[i].usage == of_registry_[i].usage);
    }
    std::vector<Change> copy;
    CopyCursor cursor;
    while (registry_.copy_some(cursor, 1000, copy)) {
    }
    std::map<std::string, UserState> expected;
    for (Change& each : copy) {
      if (auto* row = std::get_if<Insert>(&each)) {
        expected[row->row.user].sessions.push_back({std::move(row->row)});
      } else if (auto* mark = std::get_if<PutHoldOff>(&each)) {
        if (mark->row.since + policy_.hold_off <= now.instant) continue;
        expected[mark->row.user].marks.push_back(std::move(mark->row));
      } else if (auto* limit = std::get_if<PutLimit>(&each)) {
        expected[limit->row.user].rule = limit->row;
      } else if (auto* block = std::get_if<PutBlock>(&each)) {
        if (block->row.block.is_over(now.instant)) continue;
        expected[block->row.user].block = std::move(block->row.block);
      }
    }
    for (const char* const user : kUsers) {
      const UserState& state = state_of(user);
      UserState& known = expected[user];
      REQUIRE(described_in_any_order(state.sessions) == described_in_any_order(known.sessions));
      std::vector<HoldOffRow> marks = state.marks;
      std::erase_if(marks, [&](const HoldOffRow& each) {
        return each.since + policy_.hold_off <= now.instant;
      });
      REQUIRE(described_in_any_order(marks) == described_in_any_order(known.marks));
      REQUIRE(described(state.rule) == described(known.rule));
      const bool is_blocked = state.block && !state.block->is_over(now.instant);
      REQUIRE((is_blocked ? described(*state.block) : "-") == described(known.block));
    }
  }

  Keep keep_;
  std::mt19937 random_;
  FakeClock clock_;
  // The same throughout: what is over by a shorter one does not come back with a longer one.
  Millis hold_off_;
  Millis longest_;  // nor with a longer one of these
  Millis overlap_;
  Policy policy_;
  Registry registry_;
  Judge judge_;
  std::map<std::string, UserState> states_;
  std::map<std::pair<std::string, std::string>, std::vector<StartToken>> tokens_;
  std::map<std::size_t, int> answers_;
  std::vector<AddUsage> of_registry_;
  std::vector<AddUsage> of_judge_;
  std::int64_t start_ = 1;
};

}  // namespace concur::test
