#include "store/database_files.hpp"

#include "base/free_name.hpp"
#include "base/text.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace concur {

namespace {

namespace fs = std::filesystem;

std::string real_path(const std::string& path) {
  std::error_code error;
  const auto real = fs::weakly_canonical(fs::absolute(path), error);
  return error ? path : real.string();
}

// SQLite locks bytes from 2^30 on, some five hundred (PENDING_BYTE in its sqliteInt.h).
constexpr off_t kLockedByte = 0x7FFF'FFFE;

enum class Locked { kYes, kTaken, kCannot };

Locked lock_file(int fd) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = kLockedByte;
  lock.l_len = 1;
  if (fcntl(fd, F_OFD_SETLK, &lock) == 0) return Locked::kYes;
  return errno == EAGAIN || errno == EACCES ? Locked::kTaken : Locked::kCannot;
}

// Whether it is mounted, and not the folder that it is in.
bool is_mount(const std::string& path) {
#ifdef STATX_ATTR_MOUNT_ROOT
  struct statx info {};
  if (statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_TYPE, &info) != 0) return false;
  return S_ISREG(info.stx_mode) && (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
#else
  static_cast<void>(path);
  return false;
#endif
}

bool has_content(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && info.st_size > 0;
}

void sync_folder_of(const std::string& path) {
  const Fd folder(open(fs::path(path).parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder) fsync(folder.get());
}

}  // namespace

DatabaseFiles::DatabaseFiles(std::string path)
    : path_(std::move(path)),
      paths_{path_, path_ + "-wal", path_ + "-shm"},
      part_(path_ + ".part"),
      next_(path_ + ".next") {
  for (std::size_t i = 0; i < kFiles; ++i) names_[i] = fs::path(paths_[i]).filename().string();
}

Result<std::shared_ptr<DatabaseFiles>> DatabaseFiles::claim(const std::string& path) {
  std::shared_ptr<DatabaseFiles> files(new DatabaseFiles(real_path(path)));
  if (is_mount(files->path_)) {
    return Error{ErrorKind::kInvalid,
                 text::format("cannot use {}: this file is a mount by itself, and its write-ahead "
                              "log, which would have what was answered last, is not on it: mount "
                              "the folder {} in its place",
                              files->path_, fs::path(files->path_).parent_path().string())};
  }
  files->finish_replacement();
  if (const auto locked = files->lock(); !locked) return locked.error();
  return files;
}

// A new database under that name is whole. Where the old one is there, too, it is as well, and
// whoever was to take its place was not acknowledged to anybody.
void DatabaseFiles::finish_replacement() const {
  unlink(part_.c_str());
  if (!id_at(next_)) return;
  if (id_at(path_)) {
    unlink(next_.c_str());
    return;
  }
  unlink(paths_[kLog].c_str());
  unlink(paths_[kIndex].c_str());
  static_cast<void>(rename_to_free_name(next_, path_));
  sync_folder_of(path_);
}

Result<void> DatabaseFiles::lock() {
  constexpr int kTries = 10;
  for (int i = 0; i < kTries; ++i) {
    // A log without its database would be thrown away beside an empty one.
    const int create = has_content(paths_[kLog]) ? 0 : O_CREAT;
    Fd fd(open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | create, 0600));
    struct stat info {};
    if (!fd || fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
    if (lock_file(fd.get()) == Locked::kTaken) {
      return Error{ErrorKind::kUnavailable,
                   text::format("cannot use {}: concurrencyd is already running on this file, "
                                "perhaps by another name",
                                path_)};
    }
    if (id_at(path_) != id_of(fd.get())) continue;  // replaced in between
    lock_ = std::move(fd);
    return {};
  }
  return {};
}

std::optional<DatabaseFiles::FileId> DatabaseFiles::id_at(const std::string& path, int folder) {
  struct stat info {};
  if (fstatat(folder, path.c_str(), &info, 0) != 0) return std::nullopt;
  return FileId{info.st_dev, info.st_ino};
}

std::optional<DatabaseFiles::FileId> DatabaseFiles::id_of(int fd) {
  struct stat info {};
  if (fstat(fd, &info) != 0) return std::nullopt;
  return FileId{info.st_dev, info.st_ino};
}

void DatabaseFiles::remember() {
  const std::lock_guard lock(mutex_);
  has_data_ = has_log_ = log_emptied_ = given_up_ = false;
  for (std::size_t i = 0; i < kFiles; ++i) ids_[i] = id_at(paths_[i]);
  if (lock_) ids_[kData] = id_of(lock_.get());
  folder_ = Fd(open(fs::path(path_).parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

bool DatabaseFiles::in_place() const {
  const std::lock_guard lock(mutex_);
  for (const File each : {kData, kLog, kIndex}) {
    if (!holds(each, paths_[each], AT_FDCWD)) return false;
  }
  return true;
}

bool DatabaseFiles::in_folder() const {
  const std::lock_guard lock(mutex_);
  for (const File each : {kData, kLog}) {
    if (!holds(each, names_[each], folder_.get())) return false;
  }
  return true;
}

bool DatabaseFiles::holds(File file, const std::string& path, int folder) const {
  if (!ids_[file]) return true;
  // Not stat(): on newer kernels who looks at the times makes the next write note them anew, which
  // costs each commit a fifth of its time (kernel.org, "Multigrain Timestamps").
  struct statx info {};
  if (statx(folder, path.c_str(), 0, STATX_INO | STATX_SIZE, &info) != 0) return false;
  const dev_t device = makedev(info.stx_dev_major, info.stx_dev_minor);
  if (FileId{device, info.stx_ino} != *ids_[file]) return false;
  const bool has_content = info.stx_size > 0;
  if (file == kData) {
    given_up_ = given_up_ || (has_data_ && !has_content);
    has_data_ = has_content;
  } else if (file == kLog) {
    log_emptied_ = log_emptied_ || (has_log_ && !has_content);
    has_log_ = has_content;
  }
  return !given_up_;
}

bool DatabaseFiles::in_doubt() const {
  if (!in_place()) return true;
  const std::lock_guard lock(mutex_);
  return log_emptied_;
}

bool DatabaseFiles::log_was_emptied() {
  const std::lock_guard lock(mutex_);
  return std::exchange(log_emptied_, false);
}

bool DatabaseFiles::emptied() const {
  const std::lock_guard lock(mutex_);
  struct stat info {};
  const bool is_empty = lock_ && fstat(lock_.get(), &info) == 0 && info.st_size == 0;
  return given_up_ || (has_data_ && is_empty);
}

void DatabaseFiles::give_up() {
  const std::lock_guard lock(mutex_);
  given_up_ = true;
}

std::string DatabaseFiles::obstacle() {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < kFiles; ++i) {
    const auto there = id_at(paths_[i]);
    if (!there || there == ids_[i]) continue;
    if (i == kData) remove_ours();
    return text::format("{} was taken away, and another file has its place",
                        i == kData ? "it" : paths_[i]);
  }
  return {};
}

void DatabaseFiles::remove_ours() {
  for (std::size_t i = 0; i < kFiles; ++i) {
    if (ids_[i] && id_at(paths_[i]) == ids_[i]) unlink(paths_[i].c_str());
  }
}

Result<void> DatabaseFiles::replace(const std::string& made) {
  const auto failed = [](int cause) {
    return Error{ErrorKind::kUnavailable, std::strerror(cause)};
  };
  Fd fd(open(made.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return failed(errno);
  static_cast<void>(lock_file(fd.get()));  // nobody else knows it
  const std::lock_guard lock(mutex_);
  struct stat info {};
  if (lock_ && fstat(lock_.get(), &info) == 0) fchmod(fd.get(), info.st_mode & 0777);
  if (fsync(fd.get()) != 0) return failed(errno);
  if (rename(made.c_str(), next_.c_str()) != 0) return failed(errno);
  sync_folder_of(path_);
  remove_ours();
  if (const int cause = rename_to_free_name(next_, path_); cause != 0) {
    unlink(next_.c_str());
    return failed(cause);
  }
  sync_folder_of(path_);
  old_lock_ = std::exchange(lock_, std::move(fd));
  old_ids_ = std::exchange(ids_, {id_of(lock_.get()), std::nullopt, std::nullopt});
  return {};
}

void DatabaseFiles::settle() {
  const std::lock_guard lock(mutex_);
  old_lock_.close();
  old_ids_ = {};
}

void DatabaseFiles::withdraw() {
  const std::lock_guard lock(mutex_);
  // Whatever is there by now was made for the new one: the paths were free.
  if (ids_[kData] && id_at(path_) == ids_[kData]) {
    for (const std::string& each : paths_) unlink(each.c_str());
  }
  lock_ = std::exchange(old_lock_, Fd());
  ids_ = std::exchange(old_ids_, {});
}

}  // namespace concur
