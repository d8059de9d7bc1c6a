// The registry's part about giving away all that it knows.
#include "session/registry.hpp"

#include <algorithm>
#include <utility>

namespace concur {

namespace {

void copy_user(State& state, Slot user, std::vector<Change>& out) {
  const UserSlot& owner = state.user(user);
  if (!owner.rule.empty()) out.emplace_back(PutLimit{state.limit_row(user)});
  if (const Block* block = state.blocks.find(user)) {
    out.emplace_back(PutBlock{{owner.name.str(), *block}});
  }
  for (const HoldOffs::One& each : state.hold_offs.of(user)) {
    out.emplace_back(PutHoldOff{row_of(each, owner.name.str())});
  }
}

void copy_session(State& state, Slot slot, std::vector<Change>& out) {
  const SessionSlot& session = state.session(slot);
  if (session.is_gone() && state.is_stored_gone(slot))
    out.emplace_back(PutGone{state.gone_row(slot)});
  if (session.state == SlotState::kActive) out.emplace_back(Insert{state.session_row(slot)});
}

}  // namespace

bool Registry::copy_some(CopyCursor& cursor, std::uint32_t slots, std::vector<Change>& out) {
  if (cursor.user == 0) {
    for (const PlanId id : state_->plans.all()) {
      const Plan& plan = state_->plans[id];
      out.emplace_back(PutPlan{{plan.name, plan.limit, plan.on_limit, plan.numbers}});
    }
  }
  const Slot users = state_->table.users_end();
  for (; cursor.user < users && slots > 0; ++cursor.user, --slots)
    copy_user(*state_, cursor.user, out);
  const Slot sessions = state_->table.end();
  for (; cursor.session < sessions && slots > 0; ++cursor.session, --slots) {
    copy_session(*state_, cursor.session, out);
  }
  return cursor.user < users || cursor.session < sessions;
}

}  // namespace concur
