#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace concur {

// The system's own files of users and groups, which whoever runs a daemon is in. The name services
// are not asked: they may take long, and to ask them would load libraries.

std::optional<std::string> user_name(uid_t id);
std::optional<std::string> group_name(gid_t id);

// Whether a login of this user gives it the group as a further one.
bool is_member(const std::string& user, gid_t group);

// What whoever has got a group since this login is to do. `which` says more of the group, such as
// "for which /run/x is open, "; it may be empty.
std::string login_advice(const std::string& user, const std::string& group,
                         const std::string& which);

}  // namespace concur
