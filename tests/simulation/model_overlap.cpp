// The model's part about starts that are one too many and are let in for a while.
#include "model.hpp"
#include "model_parts.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace concur::simulation {

const Model::Session* Model::overlapping(const User& user) {
  const auto found = std::ranges::find_if(
      user.sessions, [](const Session& each) { return each.overlap.has_value(); });
  return found == user.sessions.end() ? nullptr : &*found;
}

bool Model::has_overlaps() const {
  return std::ranges::any_of(state_.users, [](const auto& each) {
    return overlapping(each.second) != nullptr || each.second.unsettled.has_value();
  });
}

// One too many, and only by one; nobody makes room at once, and there is no other such one but one
// that leaves.
bool Model::may_overlap(const User& user, const Terms& terms,
                        const std::vector<std::string>& leaving, const Now& now) const {
  if (policy.overlap == Millis(0) || policy.mode == Mode::kObserve) return false;
  if (user.sessions.size() - leaving.size() != terms.limit) return false;
  if (terms.on_limit == OnLimit::kEvictOldest || now.instant < user.no_overlap_until) return false;
  const Session* other = overlapping(user);
  return other == nullptr || std::ranges::count(leaving, other->name) > 0;
}

std::size_t Model::others_at(const User& user, const Session& session, Instant at) const {
  const auto was_active = [&](const Session& each) {
    return each.id != session.id && leases_.at(each.id).expires > at;
  };
  return static_cast<std::size_t>(std::ranges::count_if(user.sessions, was_active) +
                                  std::ranges::count_if(user.lapsed, was_active));
}

bool Model::has_room(const State& state, const std::string& user, const Session& session,
                     std::size_t others) const {
  const std::uint32_t limit = session.overlap->limit.value_or(terms_in(state, user).limit);
  return policy.mode == Mode::kObserve || limit == kUnlimited || others < limit;
}

// When its time is over it stays if there was room then, whenever somebody looks. Like what has
// expired that is no change that anybody waits for: it is the same after it was undone.
void Model::settle(const std::string& name, User& user, const Now& now) {
  const Session* found = overlapping(user);
  if (found == nullptr) return;
  const Session session = *found;
  const Instant ends = overlap_end(session);
  if (ends > now.instant || leases_.at(session.id).expires <= ends) return;
  user.unsettled = session;
  if (has_room(state_, name, session, others_at(user, session, ends))) {
    find_session(user.sessions, session.name)->overlap.reset();
    return;
  }
  remove(user, session.name, {EndReason::kDenied, {}, ends}, now);
  user.gone[session.name].wall_unsure = session.wall_moved;
  user.no_overlap_until =
      std::max(user.no_overlap_until,
               ends + kOverlapPause * std::max(session.overlap->length, policy.overlap));
  refused_.push_back(name);
}

// Whoever is told something that depends on it waits until it is stored.
void Model::tell_settled(User& user) {
  changed_ = changed_ || user.unsettled.has_value();
  user.unsettled.reset();
}

// Of whom a command tells, beside those that settle whose leases are over, too.
void Model::tell_settled(const Command& command) {
  if (const auto* list = std::get_if<ListUser>(&command)) {
    tell_settled(state_.users[std::string(list->user.text())]);
  } else if (const auto* beat = std::get_if<Heartbeat>(&command)) {
    tell_settled(state_.users[std::string(beat->user.text())]);
  } else if (const auto* show = std::get_if<ShowLimit>(&command)) {
    tell_settled(state_.users[std::string(show->user.text())]);
  } else if (const auto* set = std::get_if<SetLimit>(&command)) {
    tell_settled(state_.users[std::string(set->user.text())]);
  } else if (std::holds_alternative<ListAll>(command)) {
    for (auto& [name, user] : state_.users) tell_settled(user);
  } else if (std::holds_alternative<ListLimits>(command)) {
    for (auto& [name, user] : state_.users) {
      if (!user.rule.empty()) tell_settled(user);
    }
  } else if (const auto* purge = std::get_if<Purge>(&command)) {
    for (auto& [name, user] : state_.users) {
      if (!purge->user || purge->user->text() == name) tell_settled(user);
    }
  }
}

}  // namespace concur::simulation
