#include "service/denial_log.hpp"

#include "base/text.hpp"
#include "base/utf8.hpp"

#include <utility>

namespace concur {

namespace {

constexpr Millis kPause = std::chrono::minutes(1);

}  // namespace

void DenialLog::add(const Event& event, Instant now) {
  if (!log_.logs(LogLevel::kInfo)) return;
  std::string user = event.user.str();
  auto found = users_.find(user);
  const bool is_new = found == users_.end();
  if (is_new && users_.size() >= kMaxUsers) {
    if (others_++ == 0) others_since_ = now;
    return;
  }
  if (is_new) {
    found = users_.emplace(std::move(user), Held{.logged = now}).first;
    by_age_.push_back(&*found);
  }
  Held& held = found->second;
  held.session = event.session.str();
  held.active = event.active;
  held.limit = event.limit;
  held.would_deny = event.would_deny;
  ++held.count;
  if (!is_new) return;
  log(found->first, held);
  held.count = 0;
}

void DenialLog::tick(Instant now) {
  while (!by_age_.empty() && now - by_age_.front()->second.logged >= kPause) {
    const auto found = users_.find(by_age_.front()->first);
    by_age_.pop_front();
    Held& held = found->second;
    if (held.count == 0) {
      users_.erase(found);
      continue;
    }
    log(found->first, held);
    held.logged = now;
    held.count = 0;
    by_age_.push_back(&*found);
  }
  if (others_ > 0 && now - others_since_ >= kPause) log_others();
}

void DenialLog::flush() {
  for (const auto* entry : by_age_) {
    if (entry->second.count > 0) log(entry->first, entry->second);
  }
  by_age_.clear();
  users_.clear();
  if (others_ > 0) log_others();
}

void DenialLog::log(std::string_view user, const Held& held) {
  std::string more;
  if (held.count > 1) {
    more = text::format("; {} more of this user in the last minute", held.count - 1);
  }
  log_.info("{}: user {} session {} ({} of {} active){}", held.would_deny ? "would deny" : "denied",
            in_quotes(user), in_quotes(held.session), held.active, held.limit, more);
}

void DenialLog::log_others() {
  log_.info("denied: {} more in the last minute, of users beyond the {} that are named in a minute",
            std::exchange(others_, 0), kMaxUsers);
}

}  // namespace concur
