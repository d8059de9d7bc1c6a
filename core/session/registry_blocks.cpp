// The registry's part about users whom operators keep out.
#include "session/registry.hpp"

#include <algorithm>
#include <utility>

namespace concur {

Answer Registry::decide(const ShowBlock& show, const Now& now) {
  return block_of(show.user.text(), state_->table.find_user(show.user.text()), now);
}

Answer Registry::decide(const SetBlock& set, const Now& now) {
  UserRef user = state_->table.keep(set.user.text());
  const Slot slot = user.slot();
  put_block(std::move(user), Block{now.instant, set.length, set.message}, now);
  return block_of(set.user.text(), slot, now);
}

Answer Registry::decide(const Unblock& unblock, const Now& now) {
  const Slot user = state_->table.find_user(unblock.user.text());
  // One that is over too: what is stored of it could hold again after a reboot.
  if (user != kNoSlot && state_->blocks.find(user) != nullptr) {
    put_block(state_->table.keep(user), std::nullopt, now);
  }
  return UserBlock{std::string(unblock.user.text())};
}

Answer Registry::decide(const ListBlocks& list, const Now& now) {
  const auto after = list.after.number(kNoSlot);
  if (!after) return Refused{list.after.not_ours()};
  BlockPage page;
  const Slot end = state_->table.users_end();
  Slot user = static_cast<Slot>(std::min<std::uint64_t>(*after, end));
  for (const Slot stop = user + std::min(kListStep, end - user); user < stop; ++user) {
    if (state_->blocks.find(user, now.instant) == nullptr) continue;
    if (page.blocks.size() == list.most) break;
    page.blocks.push_back(block_of(state_->user(user).name.str(), user, now));
  }
  if (user < end) page.next = Cursor::at(user);
  return page;
}

UserBlock Registry::block_of(std::string_view name, Slot user, const Now& now) const {
  UserBlock shown{std::string(name)};
  const Block* block = state_->blocks.find(user, now.instant);
  if (block == nullptr) return shown;
  shown.blocked = true;
  shown.since = now.to_wall(block->since);
  if (const auto until = block->until()) shown.until = now.to_wall(*until);
  shown.message = block->message;
  return shown;
}

// Without a block it is lifted.
void Registry::put_block(UserRef user, std::optional<Block> block, const Now& now) {
  const Slot slot = user.slot();
  const bool blocks = block.has_value();
  const bool changes = blocks || state_->blocks.find(slot, now.instant) != nullptr;
  auto undo = std::make_unique<undo::Blocked>(undo::Blocked{user.another(), {}});
  undo->before = state_->blocks.put(std::move(user), std::move(block));
  const Block* known = state_->blocks.find(slot);
  const std::string name = state_->user(slot).name.str();
  if (blocks) {
    record(slot, std::move(undo), PutBlock{{name, *known}});
  } else {
    record(slot, std::move(undo), DropBlock{name});
  }
  if (changes) publish_block(slot, known, now);
}

void Registry::publish_block(Slot user, const Block* block, const Now& now) {
  std::unique_ptr<EventMore> more;
  if (block != nullptr && (block->length || !block->message.empty())) {
    more = std::make_unique<EventMore>();
    more->message = block->message;
    if (const auto until = block->until()) more->until = now.to_wall(*until);
  }
  publish(block == nullptr ? EventKind::kUnblocked : EventKind::kBlocked, user, PackedText(),
          state_->active_at(user, now.instant), 0, std::move(more), now);
}

Blocked Registry::refuse_blocked(const Start& start, Slot user, const Block& block,
                                 const Terms& terms, const Now& now) {
  Blocked blocked{std::string(start.user.text()), std::string(start.session.text()),
                  state_->user(user).active, terms.limit, block.message};
  if (const auto until = block.until()) blocked.retry_after = *until - now.instant;
  return blocked;
}

}  // namespace concur
