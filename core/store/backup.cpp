#include "store/backup.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <functional>

namespace concur {

Result<DatabaseCopy> DatabaseCopy::open(const std::string& path) {
  auto db = Sqlite::open_existing(path);
  if (!db) return db.error();
  return DatabaseCopy(std::move(*db), path + ".copy");
}

// VACUUM INTO reads one snapshot, however much is written meanwhile; SQLite's online backup would
// begin anew at each commit of another connection.
Result<Fd> DatabaseCopy::make(const ReportWork& report) {
  unlink(to_.c_str());  // of a daemon that was killed at it
  const auto size = db_.number(
      "SELECT (page_count - freelist_count) * page_size "
      "FROM pragma_page_count, pragma_freelist_count, pragma_page_size");
  WorkState work{.what = "copying", .total = static_cast<std::uint64_t>(size ? *size : 0)};
  const std::function<bool()> go_on = [&] {
    struct stat info {};
    if (stat(to_.c_str(), &info) == 0) work.done = static_cast<std::uint64_t>(info.st_size);
    if (report) report(work);
    return true;
  };
  auto copy = db_.prepare("VACUUM INTO ?");
  if (!copy) return copy.error();
  copy->bind(1, to_);
  db_.on_progress(&go_on);
  const auto made = copy->run();
  db_.on_progress(nullptr);
  Fd fd(::open(to_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  const int cause = errno;
  unlink(to_.c_str());
  if (!made) return made.error();
  if (!fd) return Error{ErrorKind::kUnavailable, std::strerror(cause)};
  return fd;
}

}  // namespace concur
