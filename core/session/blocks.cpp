#include "session/blocks.hpp"

#include <utility>

namespace concur {

const Block* Blocks::find(Slot user) const {
  const auto found = blocks_.find(user);
  return found == blocks_.end() ? nullptr : &found->second.block;
}

const Block* Blocks::find(Slot user, Instant now) const {
  if (blocks_.empty() || user == kNoSlot) return nullptr;
  const Block* block = find(user);
  return block == nullptr || block->is_over(now) ? nullptr : block;
}

std::optional<Block> Blocks::put(UserRef user, std::optional<Block> block) {
  std::optional<Block> before;
  const Slot slot = user.slot();
  const auto known = blocks_.find(slot);
  if (known != blocks_.end()) before = std::move(known->second.block);
  if (!block) {
    // The user may go with it, and then it is no longer there to look at.
    if (known != blocks_.end()) blocks_.erase(known);
    return before;
  }
  const auto until = block->until();
  if (known == blocks_.end()) {
    blocks_.emplace(slot, OfUser{std::move(user), std::move(*block)});
  } else {
    known->second.block = std::move(*block);
  }
  if (until) add_ending(*until, slot);
  return before;
}

// Whoever blocks the same users again and again leaves endings of old blocks behind.
void Blocks::add_ending(Instant until, Slot user) {
  constexpr std::size_t kFew = 1024;
  endings_.push({until, user});
  if (endings_.size() < kFew + 2 * blocks_.size()) return;
  Endings current;
  for (const auto& [slot, each] : blocks_) {
    if (const auto at = each.block.until()) current.push({*at, slot});
  }
  endings_ = std::move(current);
}

UserRef Blocks::drop_over(Instant now) {
  while (!endings_.empty() && endings_.top().until <= now) {
    const Ending ending = endings_.top();
    endings_.pop();
    const auto found = blocks_.find(ending.user);
    if (found == blocks_.end() || found->second.block.until() != ending.until) continue;
    UserRef user = std::move(found->second.user);
    blocks_.erase(found);
    return user;
  }
  return {};
}

}  // namespace concur
