#include "net/connect.hpp"

#include "base/accounts.hpp"
#include "base/duration.hpp"
#include "base/text.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

namespace concur {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr Millis kFirstPause{10};
constexpr Millis kMaxPause{250};
constexpr std::size_t kMaxPath = sizeof(sockaddr_un{}.sun_path) - 1;

struct Attempt {
  Fd fd;
  int error = 0;  // errno where there is no connection
};

Attempt try_connect(const std::string& path) {
  if (path.size() > kMaxPath) return {Fd(), ENAMETOOLONG};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, kMaxPath);
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return {Fd(), errno};
  const auto* to = reinterpret_cast<const sockaddr*>(&address);
  if (::connect(fd.get(), to, sizeof address) != 0) return {Fd(), errno};
  return {std::move(fd), 0};
}

// How one failed path is reported: of several, the error names the one that says most (the
// highest).
struct Failure {
  int weight = 0;
  ErrorKind kind = ErrorKind::kUnavailable;
  std::string cause;
  std::string hint;
};

std::string owner_name(uid_t id) { return user_name(id).value_or(text::format("user {}", id)); }

std::string name_of_group(gid_t id) { return group_name(id).value_or(text::format("{}", id)); }

bool has_group(gid_t group) {
  if (::getegid() == group) return true;
  std::vector<gid_t> groups(static_cast<std::size_t>(std::max(0, ::getgroups(0, nullptr))));
  const int count = ::getgroups(static_cast<int>(groups.size()), groups.data());
  return count > 0 && std::ranges::find(groups, group) != groups.end();
}

// What keeps this process out is the socket itself, or the lowest folder above it that can still be
// looked at.
std::string who_may_use(std::string path) {
  struct stat info {};
  while (::stat(path.c_str(), &info) != 0) {
    const std::size_t slash = path.find_last_of('/');
    if (slash == std::string::npos || slash == 0) return "run concur as a user who may use it";
    path.resize(slash);
  }
  const std::string owner = owner_name(info.st_uid);
  if ((info.st_mode & (S_ISDIR(info.st_mode) ? S_IXGRP : S_IWGRP)) == 0) {
    return text::format("{} is open to {} only: run concur as {}", path, owner, owner);
  }
  const std::string group = name_of_group(info.st_gid);
  const std::string user = owner_name(::getuid());
  if (!has_group(info.st_gid) && is_member(user, info.st_gid)) {
    return login_advice(user, group, text::format("for which {} is open, ", path));
  }
  return text::format("{} is open to {} and the group {}: run concur as one of them", path, owner,
                      group);
}

Failure explain(const std::string& path, int error, Millis timeout) {
  struct stat info {};
  switch (error) {
    case EACCES:
    case EPERM:
      return {5, ErrorKind::kForbidden, "permission denied", who_may_use(path)};
    case EAGAIN:
      return {4, ErrorKind::kTimeout,
              text::format("it took no connection within {}", format_duration(timeout)),
              kStuckHint};
    case ENAMETOOLONG:
      return {1, ErrorKind::kInvalid,
              text::format("a socket's path has at most {} bytes", kMaxPath),
              "use a shorter one for concurrencyd and concur"};
    case ENOENT:
    case ENOTDIR:
      return {0, ErrorKind::kAbsent, "no such socket",
              "start concurrencyd there, or name the socket it has with --socket"};
    case ECONNREFUSED:
    case EPROTOTYPE:
      if (error == EPROTOTYPE || ::stat(path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) {
        return {2, ErrorKind::kUnavailable, "it is not a daemon's socket",
                "name the one concurrencyd has with --socket"};
      }
      return {3, ErrorKind::kUnavailable, "nothing listens on it",
              "its daemon ended without removing it: start concurrencyd on it again"};
    default:
      return {2, ErrorKind::kUnavailable, std::strerror(error), {}};
  }
}

bool is_refusal(int error) { return error == EACCES || error == EPERM; }
bool is_too_long(int error) { return error == ENAMETOOLONG; }

Error cannot_connect(const std::vector<std::string>& paths, const std::vector<int>& errors,
                     Millis timeout) {
  if (paths.empty()) return {ErrorKind::kInvalid, "cannot connect: no socket is named"};
  Failure reported{.weight = -1, .kind = {}, .cause = {}, .hint = {}};
  std::string tried;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    Failure failure = explain(paths[i], errors[i], timeout);
    tried += text::format("{}{} ({})", i == 0 ? "" : " or ", paths[i], failure.cause);
    if (failure.weight > reported.weight) reported = std::move(failure);
  }
  if (paths.size() == 1) tried = text::format("{}: {}", paths[0], reported.cause);
  const char* separator = reported.hint.empty() ? "" : paths.size() == 1 ? "; " : ": ";
  return {reported.kind, text::format("cannot connect to {}{}{}", tried, separator, reported.hint)};
}

}  // namespace

Millis left_until(Deadline deadline) {
  return std::max(Millis(0), std::chrono::ceil<Millis>(deadline - SteadyClock::now()));
}

Result<Connected> connect_to(const std::vector<std::string>& paths, Deadline deadline,
                             Millis timeout, const std::function<bool(Deadline)>& pause) {
  std::vector<int> errors(paths.size());
  for (Millis next = kFirstPause;; next = std::min(next * 2, kMaxPause)) {
    for (std::size_t i = 0; i < paths.size(); ++i) {
      Attempt attempt = try_connect(paths[i]);
      if (attempt.fd) return Connected{std::move(attempt.fd), paths[i]};
      errors[i] = attempt.error;
    }
    if (left_until(deadline).count() == 0 || std::ranges::any_of(errors, is_refusal) ||
        std::ranges::all_of(errors, is_too_long) ||
        !pause(std::min(deadline, SteadyClock::now() + next))) {
      return cannot_connect(paths, errors, timeout);
    }
  }
}

}  // namespace concur
