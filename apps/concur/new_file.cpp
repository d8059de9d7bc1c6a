#include "new_file.hpp"

#include "base/free_name.hpp"
#include "base/json_text.hpp"
#include "base/text.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

namespace concur::cli {

namespace {

// Another name mends the first ones; what the disk or the system refuses is no fault of the command
// line.
ErrorKind kind_of(int cause) {
  switch (cause) {
    case EEXIST:
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
      return ErrorKind::kInvalid;
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorKind::kForbidden;
    default:
      return ErrorKind::kUnavailable;
  }
}

Error cannot_write(const std::string& path, int cause) {
  return {kind_of(cause), text::format("cannot write {}: {}", path, std::strerror(cause))};
}

// To replace a link, a device or a socket by a file is never what is meant.
Result<void> check_replaceable(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0 || S_ISREG(info.st_mode)) return {};
  if (S_ISDIR(info.st_mode)) return cannot_write(path, EISDIR);
  return Error{ErrorKind::kInvalid,
               text::format("cannot write {}: it is {}; name a file", path,
                            S_ISLNK(info.st_mode) ? "a symbolic link" : "no regular file")};
}

}  // namespace

NewFile::NewFile(std::string path, Name name) : path_(std::move(path)), name_(name) {}

NewFile::~NewFile() {
  if (fd_) unlink(part_.c_str());
}

Result<void> NewFile::open() {
  if (name_ == Name::kReplaced) {
    if (auto may = check_replaceable(path_); !may) return may;
  } else if (access(path_.c_str(), F_OK) == 0) {
    return cannot_write(path_, EEXIST);
  }
  return open_part();
}

// Where others are replaced, one that was killed must not stand in the way of the next.
Result<void> NewFile::open_part() {
  if (name_ == Name::kReplaced) {
    part_ = path_ + ".XXXXXX";
    fd_ = Fd(mkostemp(part_.data(), O_CLOEXEC));
    if (!fd_) return cannot_write(path_, errno);
  } else {
    part_ = path_ + ".part";
    fd_ = Fd(::open(part_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd_) return cannot_write(part_, errno);
  }
  return {};
}

Result<void> NewFile::write(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd_.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return cannot_write(part_, errno);
    text.remove_prefix(static_cast<std::size_t>(written));
    size_ += static_cast<std::size_t>(written);
  }
  return {};
}

Result<void> NewFile::commit() {
  if (fsync(fd_.get()) != 0) return cannot_write(part_, errno);
  int cause = 0;
  if (name_ == Name::kFree) {
    cause = rename_to_free_name(part_, path_);
  } else if (std::rename(part_.c_str(), path_.c_str()) != 0) {
    cause = errno;
  }
  if (cause != 0) return cannot_write(path_, cause);
  fd_.close();
  const auto folder = std::filesystem::absolute(path_).parent_path();
  const Fd entry(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (entry) fsync(entry.get());  // its name, too
  return {};
}

std::string NewFile::answer() const {
  return text::format("{{\"file\":{},\"bytes\":{}}}\n", json_string(path_), size_);
}

}  // namespace concur::cli
