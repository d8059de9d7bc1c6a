#pragma once

#include "base/log.hpp"
#include "daemon/settings.hpp"
#include "net/unix_gate.hpp"

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

namespace concur {

// The group that the setting `key` names; none where it names none, or where it is the default one
// and there is no such group. StartupError (kUsage) where it was asked for and there is none.
std::optional<gid_t> group_of(const Effective& effective, std::string_view key,
                              const std::string& name);

// Root, the daemon's own user, and the members of admin-group.
Operators operators_of(const Effective& effective, Logger& log);

}  // namespace concur
