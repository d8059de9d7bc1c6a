#include "store/backup.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace concur {

Result<DatabaseCopy> DatabaseCopy::open(const std::string& path) {
  auto db = Sqlite::open_existing(path);
  if (!db) return db.error();
  return DatabaseCopy(std::move(*db), path + ".copy");
}

// VACUUM INTO reads one snapshot, however much is written meanwhile; SQLite's online backup would
// begin anew at each commit of another connection.
Result<Fd> DatabaseCopy::make() {
  unlink(to_.c_str());  // of a daemon that was killed at it
  auto copy = db_.prepare("VACUUM INTO ?");
  if (!copy) return copy.error();
  copy->bind(1, to_);
  const auto made = copy->run();
  Fd fd(::open(to_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  const int cause = errno;
  unlink(to_.c_str());
  if (!made) return made.error();
  if (!fd) return Error{ErrorKind::kUnavailable, std::strerror(cause)};
  return fd;
}

}  // namespace concur
