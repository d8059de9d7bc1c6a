#include "daemon/groups.hpp"

#include "base/text.hpp"
#include "daemon/exit_code.hpp"

#include <grp.h>
#include <unistd.h>

#include <charconv>
#include <vector>

namespace concur {

namespace {

// By its name or, in a container that has no names, by its number.
std::optional<gid_t> group_id(const std::string& name) {
  group entry{};
  group* found = nullptr;
  std::vector<char> buffer(std::size_t{64} * 1024);
  getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found != nullptr) return entry.gr_gid;
  gid_t number = 0;
  const char* end = name.data() + name.size();
  const auto read = std::from_chars(name.data(), end, number);
  if (read.ec != std::errc() || read.ptr != end || number == static_cast<gid_t>(-1)) return {};
  return number;
}

}  // namespace

std::optional<gid_t> group_of(const Effective& effective, std::string_view key,
                              const std::string& name) {
  if (name.empty()) return std::nullopt;
  const auto group = group_id(name);
  if (group || effective.is_default(key)) return group;
  throw StartupError(ExitCode::kUsage,
                     text::format("cannot set {} to '{}': there is no such group", key, name));
}

Operators operators_of(const Effective& effective, Logger& log) {
  const std::string& name = effective.settings.admin_group;
  const Operators operators{geteuid(), group_of(effective, "admin-group", name)};
  if (!name.empty() && !operators.group) {
    log.debug("there is no group {}: root and the daemon's own user are the operators", name);
  }
  return operators;
}

}  // namespace concur
