// How a store goes on when its files are taken away from under it.
#include "base/text.hpp"
#include "store/lock_holders.hpp"
#include "store/store.hpp"

#include <unistd.h>

#include <utility>

namespace concur {

namespace {

// Whether it failed for what it was to read, not for what it was to write.
bool cannot_read(int extended_code) {
  switch (extended_code & 0xFF) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return true;
    case SQLITE_IOERR:
      return extended_code == SQLITE_IOERR_READ || extended_code == SQLITE_IOERR_SHORT_READ ||
             extended_code == SQLITE_IOERR_FSTAT || extended_code == SQLITE_IOERR_CORRUPTFS ||
             extended_code == SQLITE_IOERR_SHMMAP || extended_code == SQLITE_IOERR_SHMSIZE;
    default:
      return false;
  }
}

}  // namespace

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
  if (files_->log_was_emptied() && !has_all_without_log()) {
    files_->give_up();
    away_ = true;
  }
  return !away_;
}

// A program that knows what it does puts the log in before it empties it.
bool Store::has_all_without_log() {
  auto put_in = db_.prepare("PRAGMA main.wal_checkpoint(PASSIVE)");
  if (!put_in) return false;
  const auto row = put_in->step();
  return row && *row && put_in->integer(1) == put_in->integer(2);
}

void Store::before_close() {
  if (files_ && !files_->in_place()) db_.keep_log(true);
}

// A new database takes as long as the old one is large: where that fails, others go on meanwhile.
Result<void> Store::restore_files() {
  using Steady = std::chrono::steady_clock;
  constexpr int kRest = 4;  // as long as it took
  const auto began = Steady::now();
  unreadable_ = unreadable_ && began < rewrite_at_;
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
  if (done) return done;
  const auto now = Steady::now();
  rewrite_at_ = now + kRest * (now - began);
  advice_ = text::format(
      "all sessions are in memory, and are written to a new database as soon as that can be: see "
      "that the folder of {} is there, that the daemon may write to it, and that there is room; "
      "until then do not stop the daemon",
      files_->path());
  rewrite_failure_ = {ErrorKind::kUnavailable,
                      text::format("its files were taken away, and {}: {}",
                                   unreadable_ ? "what they hold cannot be read any more"
                                               : "no new ones can be written",
                                   done.error().message)};
  return rewrite_failure_;
}

// The old files are open still, and have all that was committed. First their log is put in, so that
// the database is whole without it, whatever name it has now.
Result<void> Store::rewrite() {
  static_cast<void>(db_.exec("PRAGMA main.wal_checkpoint(PASSIVE)"));
  if (files_->emptied()) {
    unreadable_ = true;
    return Error{ErrorKind::kUnavailable, "somebody emptied them"};
  }
  const std::string& made = files_->part();
  unlink(made.c_str());
  if (auto done = copy_to(made); !done) {
    unreadable_ = cannot_read(sqlite3_extended_errcode(db_.handle()));
    unlink(made.c_str());
    return done;
  }
  return put_in_place(made);
}

Result<void> Store::copy_to(const std::string& made) {
  auto copy = db_.prepare("VACUUM INTO ?");
  if (!copy) return copy.error();
  copy->bind(1, made);
  return copy->run();
}

Result<void> Store::put_in_place(const std::string& made) {
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
  ++rewrites_;
  return {};
}

Result<void> Store::write_anew(std::span<const Change> changes, Millis offset, Part part) {
  unreadable_ = false;
  if (part.first) {
    if (auto begun = begin_anew(); !begun) return begun;
  }
  auto done = anew_->in_transaction([&] { return anew_->write(changes, offset); });
  if (done && !part.last) return done;
  anew_.reset();
  const std::string obstacle = done ? files_->obstacle() : std::string();
  if (!obstacle.empty()) done = Error{ErrorKind::kUnavailable, obstacle};
  if (done) done = put_in_place(files_->part());
  if (!done) unlink(files_->part().c_str());
  return done;
}

Result<void> Store::begin_anew() {
  anew_.reset();
  unlink(files_->part().c_str());
  auto made = open_new(files_->part(), boot_name_);
  if (!made) return made.error();
  anew_ = std::make_unique<Store>(std::move(*made));
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
