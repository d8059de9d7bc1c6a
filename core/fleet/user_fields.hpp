#pragma once

#include "base/clock.hpp"
#include "engine/change.hpp"
#include "fleet/change_number.hpp"
#include "fleet/user_key.hpp"
#include "session/user_state.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// A user as the engine has it: the fields of one hash, and back. What boxes of other versions wrote
// is kept: each value begins with the number of its form, and what stands behind what is known here
// is carried along.
//
//   v           a change's number, 8 random bytes, behind it those of the three before
//   s<session>  a session: the start's id, when it started, its ttl, its attributes, for how long
//               it is let in above the limit
//   l<session>  its lease: last seen, until when, which of its starts, the box that serves it
//   g<session>  why it is gone: when, after which lease, which start, by whom
//   h<id>.<m>   a mark of a viewer: held off, protected, a device that changed hands
//   n           which names were replaced of late
//   w           when the next start would be on time
//   o           until when no session is let in above the limit
//   r           what operators set: limit, on-limit, plan, block
//
// Numbers are in hex, texts as <letter><length>:<bytes>.
namespace concur {

// The most sessions of one user in a fleet, and of marks of those that are gone.
inline constexpr std::size_t kMaxFleetSessions = 1000;
inline constexpr std::size_t kMaxFleetGone = 256;

// Sorted by name; each name once.
using UserFields = engine::Fields;
void sort_fields(UserFields& fields);

struct ReadUser {
  UserState state;
  std::string version;  // empty: there is none
  // Fields that say nothing to this version, or hold nothing valid: they stay as they are.
  std::vector<std::string> unread;
  // Of them, the sessions that cannot be read, though their leases can: they count as active.
  std::vector<std::string> unread_sessions;
};

// `fields` are sorted. Whatever they hold, what comes of it is valid, and no lease or mark reaches
// further beyond `now` than it could have been given for.
ReadUser read_user(std::string_view user, const UserFields& fields, Instant now);

// No lease lasts longer than the session may, where its age is bounded; one that ended at another
// age goes on as the last sign of life has it.
void bound_leases(UserState& state, Millis longest, Instant now);

// Sorted, without `v`, and without the sessions that cannot be read.
UserFields write_user(const UserState& state);

// What is to be set and taken away so that `before` becomes `after`, but for `v`. What was not read
// stays, unless there is another in its place. All are sorted.
UserFields difference(const UserFields& before, const UserFields& after, const ReadUser& read);

// Null where there is no such field.
const std::string* value_of(const UserFields& fields, std::string_view name);
// `fields` as they are once the change is made.
void apply_change(UserFields& fields, UserFields change);

}  // namespace concur
