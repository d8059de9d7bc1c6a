#include "fleet/walk.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <utility>

namespace concur {

struct Walk::Running {
  Callback<void(WalkStep&&), 56> done;
  WalkStep step;
  std::size_t waiting = 0;
  std::string failure;

  // A server may name a key twice.
  void drop_repeated() {
    const auto key = &WalkedUser::key;
    std::ranges::sort(step.users, {}, key);
    const auto repeated = std::ranges::unique(step.users, {}, key);
    step.users.erase(repeated.begin(), repeated.end());
  }
  // The last of those that are waited for calls back.
  bool one_less() { return --waiting == 0; }
  void conclude() {
    step.available = failure.empty();
    step.cause = failure;
    if (!step.available) step.users.clear();
    std::ranges::sort(step.users, [](const WalkedUser& a, const WalkedUser& b) {
      return std::tie(a.at, a.hash, a.user) < std::tie(b.at, b.hash, b.user);
    });
    std::exchange(done, {})(std::move(step));
  }
};

void Walk::step(const engine::WalkPosition& from, Callback<void(WalkStep&&), 56> done) {
  auto running = std::make_shared<Running>();
  running->done = std::move(done);
  read_keys(running, from);
}

// Some slots at once; of a server as many keys as it gives.
void Walk::read_keys(const std::shared_ptr<Running>& running, const engine::WalkPosition& from) {
  const Instant deadline = clock_.now().instant + timeout_;
  const std::uint64_t slots =
      from.is_by_slots() ? std::min(kSlotsAtOnce, engine::kSlots - std::min<std::uint64_t>(
                                                                       from.at, engine::kSlots - 1))
                         : 1;
  running->waiting = slots;
  for (std::uint64_t i = 0; i < slots; ++i) {
    const engine::WalkPosition at{from.at + i, from.generation, from.server};
    const bool is_last = i + 1 == slots;
    engine_.keys(at, deadline, [this, running, at, is_last](engine::KeysOutcome&& outcome) {
      if (!outcome.available) running->failure = outcome.cause;
      if (is_last) running->step.next = outcome.next;
      running->step.anew |= outcome.anew;
      for (std::string& key : outcome.keys) {
        std::string user = user_of_(key);
        if (user.empty()) continue;
        const std::uint64_t hash = XXH3_64bits(key.data(), key.size());
        running->step.users.push_back({std::move(key), std::move(user), {}, {}, at.at, hash});
      }
      if (running->one_less()) read_users(running);
    });
  }
}

void Walk::read_users(const std::shared_ptr<Running>& running) {
  running->drop_repeated();
  if (running->step.users.empty() || !running->failure.empty()) return running->conclude();
  const Instant deadline = clock_.now().instant + timeout_;
  running->waiting = running->step.users.size();
  for (std::size_t i = 0, count = running->waiting; i < count; ++i) {
    engine_.read(running->step.users[i].key, {}, deadline,
                 [running, i](engine::ReadOutcome&& outcome) {
                   if (!outcome.available) running->failure = outcome.cause;
                   WalkedUser& user = running->step.users[i];
                   user.fields = std::move(outcome.fields);
                   user.now = outcome.now;
                   sort_fields(user.fields);
                   if (running->one_less()) running->conclude();
                 });
  }
}

}  // namespace concur
