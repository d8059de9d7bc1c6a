#include "daemon/owner.hpp"

#include "base/text.hpp"
#include "daemon/exit_code.hpp"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace concur {

void become_owner(const std::string& file) {
  struct stat info {};
  if (geteuid() != 0 || stat(file.c_str(), &info) != 0 || info.st_uid == 0) return;
  if (setgroups(0, nullptr) == 0 && setgid(info.st_gid) == 0 && setuid(info.st_uid) == 0) return;
  throw StartupError(ExitCode::kDatabase,
                     text::format("cannot become the owner of {}: {}", file, std::strerror(errno)));
}

}  // namespace concur
