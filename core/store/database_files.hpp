#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <fcntl.h>
#include <sys/types.h>

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace concur {

// The files of one database: its own, its write-ahead log, and the index of that.
//
// Keeps other daemons out of the database, by whatever name they know it: the lock is on the file
// itself, not on a name, and is let go by the kernel however its owner ends. It is an open file
// description's lock (fcntl(2), F_OFD_SETLK) on a byte that SQLite never locks. The descriptor must
// outlive all of SQLite's, for closing it would end the locks that SQLite holds on the file; so
// whoever has the database open shares this object.
//
// And knows whether the open files are still those at their paths, or somebody removed, renamed or
// replaced them. For any thread.
class DatabaseFiles {
 public:
  // To be called before SQLite opens the database. Makes an empty file where there is none, and
  // ends what a daemon that was killed left half done (replace). kUnavailable: another process
  // holds the lock; kInvalid: the file is a mount by itself, so that its write-ahead log would be
  // kept elsewhere. What cannot be opened is not locked: SQLite says why. File systems without such
  // locks have none.
  static Result<std::shared_ptr<DatabaseFiles>> claim(const std::string& path);

  // Without links in it.
  const std::string& path() const { return path_; }

  // To be called when SQLite has opened them, for these are the ones that must stay.
  void remember();

  // Whether the files that were remembered are at their paths, and the database was not emptied;
  // true before any were.
  bool in_place() const;
  // As far as a commit can look without being noticed, which is some hundred nanoseconds a file:
  // whether its folder, wherever that is, has the database and its log.
  bool in_folder() const;

  // Whether a commit is to look after them: they are not in place, or the log was emptied.
  bool in_doubt() const;
  // Whether the log has been emptied since this was asked last, as far as in_place() or in_folder()
  // have seen: by somebody who knows what it is, or not.
  bool log_was_emptied();
  // It was by somebody who does not: the files are not in place until others are remembered.
  void give_up();
  // Then, or where the database was emptied: what they hold is of no use.
  bool emptied() const;

  // Why nothing may be put at the path: a file stands there that is not ours; empty where nothing
  // stands in the way. What is ours beside a file that is not is removed: it would be taken for
  // that file's log.
  std::string obstacle();

  // Where a new database may be made, beside the old one.
  const std::string& part() const { return part_; }

  // Puts the whole new database at `made` in the place of what is left of ours, and locks it. Each
  // moment one of the two is complete on the disk. The old file stays locked until settle(), or
  // withdraw(), which takes the new one away again. The error is the cause alone.
  Result<void> replace(const std::string& made);
  void settle();
  void withdraw();

 private:
  struct FileId {
    dev_t device = 0;
    ino_t inode = 0;
    bool operator==(const FileId&) const = default;
  };
  enum File : std::size_t { kData, kLog, kIndex, kFiles };
  using Ids = std::array<std::optional<FileId>, kFiles>;

  explicit DatabaseFiles(std::string path);
  static std::optional<FileId> id_at(const std::string& path, int folder = AT_FDCWD);
  static std::optional<FileId> id_of(int fd);
  bool holds(File file, const std::string& path, int folder) const;
  void finish_replacement() const;
  Result<void> lock();
  void remove_ours();

  std::string path_;
  std::array<std::string, kFiles> paths_;
  std::array<std::string, kFiles> names_;  // in the folder
  std::string part_;
  std::string next_;  // the name of a whole new database on its way to the path
  mutable std::mutex mutex_;
  Fd lock_;
  Ids ids_;
  Fd folder_;
  mutable bool has_data_ = false;  // as it was seen last
  mutable bool has_log_ = false;
  mutable bool log_emptied_ = false;
  mutable bool given_up_ = false;
  Fd old_lock_;  // of what was replaced
  Ids old_ids_;
};

}  // namespace concur
