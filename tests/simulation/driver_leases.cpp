// The driver's part about the leases that a service finds again when it starts.
#include "base/text.hpp"
#include "driver.hpp"
#include "text.hpp"

#include <algorithm>
#include <string>
#include <variant>

namespace concur::simulation {

bool Driver::match_leases(const Model::State& found, std::string& why) {
  for (const auto& [name, who] : found.users) {
    for (const Model::Session& session : who.sessions) {
      const Model::Lease& told = model_.lease(session.id);
      if (told.is_unsure || lied_) continue;
      const Model::Lease lease = found_lease(name, session.name);
      const char* wrong = wrong_lease(session, told, lease);
      if (wrong == nullptr) continue;
      why = text::format("{}/{}: {}: seen {}, expires {}; told were {}, {}; ttl {}, now {}", name,
                         session.name, wrong, text_of(lease.seen), text_of(lease.expires),
                         text_of(told.seen), text_of(told.expires), told.ttl.count(),
                         text_of(machine_.clock.now().instant));
      return false;
    }
  }
  return true;
}

Model::Lease Driver::found_lease(const std::string& user, const std::string& session) {
  const Millis offset = machine_.clock.now().offset();
  const auto info = std::ranges::find(found_[user], session, &SessionInfo::session);
  Model::Lease lease;
  lease.seen = Instant((info->last_seen_at - offset).time_since_epoch());
  lease.expires = Instant((info->expires_at - offset).time_since_epoch());
  return lease;
}

// Null where nothing is.
const char* Driver::wrong_lease(const Model::Session& session, const Model::Lease& told,
                                const Model::Lease& found) {
  const Instant now = machine_.clock.now().instant;
  const Millis interval = heartbeat_interval(told.ttl);
  if (found.expires < now + interval) return "it has less than a heartbeat interval of grace";
  if (found.expires > now + told.ttl) return "it has more than a lease";
  if (found.seen > now) return "it was seen in the time to come";
  if (session.is_loose) return nullptr;
  if (found.seen > told.seen) return "it was seen when it was not";
  const bool saved = stopped_.instant - trouble_ >= kTroubled;
  const bool old = stopped_.instant - told.seen >= interval;
  if (saved && old && found.seen < told.seen) {
    return "a sign of life older than a third of a lease is lost";
  }
  if (was_clean_ && found.seen != told.seen) return "the clean stop did not store its lease";
  if (found.expires > std::max(told.expires, now + interval)) return "it has more than it was told";
  if (found.expires < std::min(found.seen, now) + told.ttl) return "it has less than it was told";
  return nullptr;
}

// From now on they are as they were found.
void Driver::adopt_leases() {
  const Now now = machine_.clock.now();
  for (const auto& [name, who] : model_.state().users) {
    for (const Model::Session& session : who.sessions) {
      Model::Lease& lease = model_.lease(session.id);
      const Model::Lease found = found_lease(name, session.name);
      lease.seen = found.seen;
      lease.expires = found.expires;
      if (!lease.is_unsure && !lied_) continue;
      const Id user = *Id::parse("user", name);
      const Id id = *Id::parse("session", session.name);
      machine_.service().submit(
          Heartbeat{user, id}, machine_.clock.now(), [&](const Result<Answer>& answer) {
            const auto& granted = std::get<Granted>(*answer);
            const Millis ttl = granted.heartbeat_interval * 3;
            if (found.expires < now.instant + granted.heartbeat_interval ||
                found.expires > now.instant + ttl) {
              fail(text::format("{}/{}: it has less than its grace, or more than its lease", name,
                                session.name));
            }
            lease.seen = now.instant;
            lease.expires = now.instant + ttl;
            lease.ttl = lease.stored = ttl;
            lease.is_unsure = false;
          });
    }
  }
}

}  // namespace concur::simulation
