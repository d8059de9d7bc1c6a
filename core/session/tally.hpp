#pragma once

#include "rules/counting.hpp"
#include "session/terms.hpp"
#include "session/user_view.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace concur {

// The limit, or a rule, that has no room for a start.
struct Violation {
  RuleInForce in_force;  // the limit's rule is that of plain_limit_rule()
  Counted counted{};
  std::vector<SessionRef> sessions{};                     // those counted; none where all are
  std::vector<std::pair<std::string, std::string>> by{};  // see counted_together()

  const Rule& rule() const { return *in_force.rule; }
};

// What the limit and the rules count for one start, and who leaves for it.
template <UserView User>
class RuleTally {
 public:
  // `whole`: all is counted by attributes, though that were not needed.
  RuleTally(const Applicant& start, const Terms& terms, const User& user, bool whole = false)
      : start_(start.attributes()), terms_(terms), user_(user) {
    if (!terms.look_at_attributes() && !whole) return;
    in_force_.reserve(terms.rules.size() + 1);
    in_force_.push_back({&plain_limit_rule(terms.counts), terms.limit});
    in_force_.insert(in_force_.end(), terms.rules.begin(), terms.rules.end());
    std::erase_if(in_force_,
                  [this](const RuleInForce& each) { return !applies(*each.rule, start_); });
    if (user.active() == 0) return;
    for (auto each = user.oldest(); each; each = user.after(*each)) {
      refs_.push_back(*each);
      others_.push_back({user.attributes(*each)});
    }
  }

  bool counts_devices() const {
    return std::ranges::any_of(in_force_, [](const RuleInForce& each) {
      return each.rule->kind == Rule::Kind::kDistinct &&
             each.rule->distinct.kind == Attribute::Kind::kDevice;
    });
  }

  void give_place(SessionRef session) {
    gives_place_ = true;
    mark(session, true);
    if (Other* other = find(session)) other->gives_its_place = true;
  }
  void leave(SessionRef session) { mark(session, true); }
  void stay(SessionRef session) { mark(session, false); }

  // Which of them have no room for the start while so many stay.
  std::vector<Violation> violations() const {
    if (!terms_.look_at_attributes()) return violations_of_number();
    std::vector<Violation> violations;
    for (const RuleInForce& each : in_force_) {
      Counted counted = count(each, start_, others_);
      if (counted.excess > 0) violations.push_back(detailed(each, std::move(counted)));
    }
    return violations;
  }
  // What each that applies counts, where attributes are looked at.
  std::vector<Violation> all() const {
    std::vector<Violation> all;
    for (const RuleInForce& each : in_force_) {
      all.push_back(detailed(each, count(each, start_, others_)));
    }
    return all;
  }

  // Those that would have to leave together to meet it, who leaves first in front.
  std::vector<std::vector<SessionRef>> in_order(const Violation& violation, bool newest) const {
    std::vector<std::vector<SessionRef>> groups;
    if (!terms_.look_at_attributes()) {
      for (auto each = newest ? user_.newest() : user_.oldest(); each;
           each = newest ? user_.before(*each) : user_.after(*each)) {
        if (std::ranges::find(leaving_, *each) == leaving_.end()) groups.push_back({*each});
      }
      return groups;
    }
    // Of values one goes by its newest session where the oldest leave, and by its oldest else: its
    // group comes where that one is met.
    const auto& [others, values, total, excess] = violation.counted;
    const std::size_t size = others.size();
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t at = newest ? size - 1 - i : i;
      if (values.empty()) {
        groups.push_back({violation.sessions[at]});
        continue;
      }
      const auto is_later = [&](std::size_t j) {
        return values[j] == values[at] && (newest ? j < at : j > at);
      };
      bool last = true;
      for (std::size_t j = 0; j < size; ++j) last = last && !is_later(j);
      if (!last) continue;
      std::vector<SessionRef> group;
      for (std::size_t j = 0; j < size; ++j) {
        if (values[j] == values[at]) group.push_back(violation.sessions[j]);
      }
      groups.push_back(std::move(group));
    }
    return groups;
  }

 private:
  Violation detailed(const RuleInForce& in_force, Counted counted) const {
    Violation violation{in_force, std::move(counted), {}, counted_together(*in_force.rule, start_)};
    for (const std::uint32_t i : violation.counted.others) violation.sessions.push_back(refs_[i]);
    return violation;
  }
  std::vector<Violation> violations_of_number() const {
    const auto staying = static_cast<std::uint32_t>(user_.active() - leaving_.size());
    // What takes another's place is no session more.
    if (terms_.limit == kUnlimited || gives_place_ || staying < terms_.limit) return {};
    std::vector<Violation> violations(1);
    violations.front().in_force = {&plain_limit_rule({}), terms_.limit};
    violations.front().counted.count = staying;
    violations.front().counted.excess = staying + 1 - terms_.limit;
    if (leaving_.empty()) return violations;
    for (auto each = user_.oldest(); each; each = user_.after(*each)) {
      if (std::ranges::find(leaving_, *each) == leaving_.end()) {
        violations.front().sessions.push_back(*each);
      }
    }
    return violations;
  }
  Other* find(SessionRef session) {
    const auto at = std::ranges::find(refs_, session);
    return at == refs_.end() ? nullptr : &others_[static_cast<std::size_t>(at - refs_.begin())];
  }
  void mark(SessionRef session, bool leaves) {
    if (Other* other = find(session)) other->leaves = leaves;
    if (leaves) {
      leaving_.push_back(session);
    } else {
      std::erase(leaving_, session);
    }
  }

  Attributes start_;
  const Terms& terms_;
  const User& user_;
  std::vector<RuleInForce> in_force_;  // those that apply; none where attributes are not looked at
  std::vector<SessionRef> refs_;       // the user's, in the order of their starts
  std::vector<Other> others_;          // the same
  std::vector<SessionRef> leaving_;
  bool gives_place_ = false;
};

}  // namespace concur
