#include "fleet/inbox.hpp"

#include "base/text.hpp"
#include "session/id.hpp"

#include <utility>

namespace concur {

Inbox::Inbox(engine::Engine& engine, const Clock& clock, const std::string& prefix, Millis timeout,
             std::uint64_t box, std::function<void(const std::string& user)> on_user)
    : engine_(engine),
      clock_(clock),
      prefix_(prefix),
      timeout_(timeout),
      box_(box),
      on_user_(std::move(on_user)) {}

std::string Inbox::key_of(std::uint64_t box) const {
  return text::format("{}i:{:x}", prefix_, box);
}

void Inbox::tell(std::uint64_t box, std::string_view user) {
  engine::Change change;
  change.key = key_of(box);
  change.fields.push_back({"u" + std::string(user), "1"});
  change.expiry = {engine::Expiry::Kind::kAtLeast, kKept};
  change.despite_full_memory = true;
  change.acknowledged = false;
  engine_.change(change, clock_.now().instant + timeout_, [](engine::ChangeOutcome&&) {});
}

void Inbox::tick() {
  const Instant now = clock_.now().instant;
  if (looking_ || now < next_look_) return;
  looking_ = true;
  next_look_ = now + kLookAgain;
  engine_.read(key_of(box_), {}, now + timeout_, [this](engine::ReadOutcome&& outcome) {
    looking_ = false;
    if (outcome.available && !outcome.fields.empty()) take(std::move(outcome.fields));
  });
}

void Inbox::take(engine::Fields&& fields) {
  engine::Change change;
  change.key = key_of(box_);
  change.despite_full_memory = true;
  change.acknowledged = false;
  for (engine::Field& each : fields) {
    const std::string user = each.name.substr(std::min<std::size_t>(1, each.name.size()));
    if (each.name.starts_with('u') && Id::parse("user", user)) on_user_(user);
    change.fields.push_back({std::move(each.name), std::nullopt});
  }
  engine_.change(change, clock_.now().instant + timeout_, [](engine::ChangeOutcome&&) {});
}

}  // namespace concur
