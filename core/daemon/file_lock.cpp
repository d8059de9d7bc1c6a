#include "daemon/file_lock.hpp"

#include "base/text.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace concur {

namespace {

std::string real_path(const std::string& path) {
  std::error_code error;
  const auto real = std::filesystem::weakly_canonical(path, error);
  return error ? path : real.string();
}

std::string owner_of(int fd) {
  char text[32] = {};
  const ssize_t size = pread(fd, text, sizeof text - 1, 0);
  std::string pid(text, size > 0 ? static_cast<std::size_t>(size) : 0);
  pid.erase(pid.find_last_not_of('\n') + 1);
  const bool is_number = !pid.empty() && pid.find_first_not_of("0123456789") == std::string::npos;
  return is_number ? " with pid " + pid : "";
}

// The unit that comes with it lets a service write to its own folder alone.
std::string hint_for(int cause, const std::string& real) {
  if (cause != EROFS || std::getenv("NOTIFY_SOCKET") == nullptr) return {};
  return text::format(
      " (a service may write where its unit says: a drop-in with ReadWritePaths={}, as in the "
      "example database-elsewhere.conf)",
      std::filesystem::path(real).parent_path().string());
}

Error cannot_lock(const std::string& lock, const std::string& real, int cause) {
  return {ErrorKind::kForbidden,
          text::format("cannot lock {}: {}{}", lock, std::strerror(cause), hint_for(cause, real))};
}

}  // namespace

Result<FileLock> FileLock::acquire(const std::string& path) {
  const std::string real = real_path(path);
  const std::string lock = real + ".lock";
  Fd fd(open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return cannot_lock(lock, real, errno);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return cannot_lock(lock, real, errno);
    return Error{ErrorKind::kUnavailable,
                 text::format("cannot use {}: concurrencyd is already running on it{}", real,
                              owner_of(fd.get()))};
  }
  const std::string pid = text::format("{}\n", getpid());
  // The pid is a courtesy to people; the lock holds without it.
  static_cast<void>(ftruncate(fd.get(), 0) == 0 && pwrite(fd.get(), pid.data(), pid.size(), 0) > 0);
  return FileLock(std::move(fd), lock);
}

bool FileLock::is_in_place() const {
  struct stat now {};
  struct stat own {};
  return lstat(path_.c_str(), &now) == 0 && fstat(fd_.get(), &own) == 0 &&
         own.st_dev == now.st_dev && own.st_ino == now.st_ino;
}

}  // namespace concur
