#pragma once

#include "session/answer.hpp"
#include "session/change.hpp"
#include "session/command.hpp"
#include "session/event.hpp"
#include "session/policy.hpp"
#include "session/registry.hpp"
#include "session/user_state.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace concur {

// Decides about users who are kept elsewhere, one at a time: state and command in, answer and state
// out, by the rules that a registry has. It keeps the plans and what was recorded of who shares; of
// a user, once it is closed, nothing else. For one thread.
class Judge {
 public:
  // How many sessions there are of others it does not know, so the policy's max-sessions is its
  // caller's business. All who share users must have the same `names_seed`.
  Judge(const Policy& policy, std::uint64_t hash_seed, std::uint64_t names_seed);

  void set_policy(const Policy& policy, const Now& now);
  const Policy& policy() const { return policy_; }
  // These hold from now on, and no others.
  void set_plans(const std::vector<PlanRow>& plans);
  // What a command about a plan leads to; it holds until set_plans().
  Answer apply_to_plans(const Command& command, const Now& now);

  // From here to close() all is about that user; `now` is the same throughout, on the clock that
  // the state's times are of.
  void open(UserState&& state, const Now& now);
  // A session that starts gets `start`, or a higher number, for its row's id.
  Answer apply(const Command& command, std::int64_t start);
  // Ends the sessions whose lease is over.
  void expire() { registry_.expire(user_, now_); }
  UserState close();

  // What happened since the last call, in order.
  std::vector<Event> take_events() { return std::exchange(events_, {}); }
  void publish_renewals(bool wanted) { registry_.publish_renewals(wanted); }

  // What was decided since the last call is to be recorded so; count() does, once it is certain.
  std::vector<Noted> take_notes() { return registry_.take_notes(); }
  void count(std::string_view user, const std::vector<Noted>& notes, const Now& now);

  // Of the record of who shares: parts that are complete, since the last call; with flush_usage()
  // those begun first are.
  std::vector<AddUsage> take_usage() { return std::exchange(usage_, {}); }
  void flush_usage(std::size_t most, const Now& now);
  // Hands over what has collected long enough.
  void flush_ripe_usage(std::size_t most, const Now& now);
  std::size_t usage_parts() const { return registry_.usage_parts(); }

 private:
  void collect();

  Policy policy_;
  Registry registry_;
  std::string user_;
  Now now_;
  std::vector<Event> events_;
  std::vector<AddUsage> usage_;
};

}  // namespace concur
