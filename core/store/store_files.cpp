// How a store goes on when its files are taken away from under it.
#include "base/text.hpp"
#include "store/lock_holders.hpp"
#include "store/store.hpp"

#include <unistd.h>

#include <utility>

namespace concur {

void Store::keep_in_place(std::shared_ptr<DatabaseFiles> files, Durability durability,
                          std::string boot) {
  files_ = std::move(files);
  durability_ = durability;
  boot_name_ = std::move(boot);
  files_->remember();
}

// The whole look takes some microseconds, which quick commits would notice. An empty commit asks
// for it.
bool Store::files_hold(bool ask) {
  away_ = ask || away_ ? !files_->in_place() : !files_->in_folder() && !files_->in_place();
  return !away_;
}

void Store::before_close() {
  if (files_ && !files_->in_place()) db_.keep_log(true);
}

// A new database takes as long as the old one is large: where that fails, others go on meanwhile.
Result<void> Store::restore_files() {
  using Steady = std::chrono::steady_clock;
  constexpr int kRest = 4;  // as long as it took
  const auto began = Steady::now();
  if (const std::string obstacle = files_->obstacle(); !obstacle.empty()) {
    // As far as it is known by another name now, it is whole by itself.
    static_cast<void>(db_.exec("PRAGMA main.wal_checkpoint(PASSIVE)"));
    advice_ = text::format(
        "nothing is written to that file; all sessions are in memory, and are written to a new "
        "database as soon as it is moved away; to go on with that file in place of them, restart "
        "the daemon");
    return Error{ErrorKind::kUnavailable, obstacle};
  }
  if (began < rewrite_at_) return rewrite_failure_;
  auto done = rewrite();
  if (done) {
    ++rewrites_;
    return done;
  }
  const auto now = Steady::now();
  rewrite_at_ = now + kRest * (now - began);
  advice_ = text::format(
      "all sessions are in memory, and are written to a new database as soon as that can be: see "
      "that the folder of {} is there, that the daemon may write to it, and that there is room; "
      "until then do not stop the daemon",
      files_->path());
  rewrite_failure_ = {ErrorKind::kUnavailable,
                      text::format("its files were taken away, and no new ones can be written: {}",
                                   done.error().message)};
  return rewrite_failure_;
}

// The old files are open still, and have all that was committed. First their log is put in, so that
// the database is whole without it, whatever name it has now.
Result<void> Store::rewrite() {
  static_cast<void>(db_.exec("PRAGMA main.wal_checkpoint(PASSIVE)"));
  const std::string& made = files_->part();
  unlink(made.c_str());
  auto copy = db_.prepare("VACUUM INTO ?");
  if (!copy) return copy.error();
  copy->bind(1, made);
  if (auto done = copy->run(); !done) {
    unlink(made.c_str());
    return done;
  }
  if (auto put = files_->replace(made); !put) {
    unlink(made.c_str());
    return put;
  }
  auto fresh = open_rewritten(files_->path(), durability_, boot_name_);
  if (!fresh) {
    files_->withdraw();
    return fresh.error();
  }
  db_.keep_log(true);
  db_ = std::move(fresh->db_);
  statements_ = std::move(fresh->statements_);  // those of the old one go, and with them that
  boot_ = fresh->boot_;
  parts_ = fresh->parts_;
  files_->remember();
  files_->settle();
  return {};
}

std::string Store::advice_for(int code) const {
  switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return lock_advice(sqlite3_db_filename(const_cast<Sqlite&>(db_).handle(), "main"));
    default:
      return {};
  }
}

}  // namespace concur
