#include "base/accounts.hpp"

#include "base/text.hpp"

#include <grp.h>
#include <pwd.h>

#include <cstdio>
#include <memory>

namespace concur {

namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

File open_accounts(const char* path) { return {std::fopen(path, "re"), std::fclose}; }

// The name of an id in one of the files.
template <class Entry, class Id>
std::optional<std::string> name_in(const char* accounts, Entry* (*next)(std::FILE*), Id Entry::*id,
                                   char* Entry::*name, Id wanted) {
  const File file = open_accounts(accounts);
  while (const Entry* entry = file ? next(file.get()) : nullptr) {
    if (entry->*id == wanted) return entry->*name;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> user_name(uid_t id) {
  return name_in("/etc/passwd", ::fgetpwent, &passwd::pw_uid, &passwd::pw_name, id);
}

std::optional<std::string> group_name(gid_t id) {
  return name_in("/etc/group", ::fgetgrent, &group::gr_gid, &group::gr_name, id);
}

bool is_member(const std::string& user, gid_t group) {
  const File file = open_accounts("/etc/group");
  while (const struct group* entry = file ? ::fgetgrent(file.get()) : nullptr) {
    if (entry->gr_gid != group) continue;
    for (char** member = entry->gr_mem; *member != nullptr; ++member) {
      if (user == *member) return true;
    }
  }
  return false;
}

std::string login_advice(const std::string& user, const std::string& group,
                         const std::string& which) {
  return text::format(
      "{} is in the group {}, {}but not yet in this login: log in anew (of a service: restart it), "
      "or: newgrp {}",
      user, group, which, group);
}

}  // namespace concur
