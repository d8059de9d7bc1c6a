#include "daemon/endpoint.hpp"

#include "base/text.hpp"
#include "daemon/exit_code.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <string_view>
#include <utility>

namespace concur {

namespace {

namespace fs = std::filesystem;

// Folders are made for the default paths alone: a mistyped one must not conjure up an empty
// database elsewhere.
void make_default_folder(const Effective& effective, std::string_view key, const std::string& path,
                         mode_t mode, ExitCode code) {
  if (!effective.is_default(key)) return;
  const fs::path folder = fs::path(path).parent_path();
  std::error_code error;
  if (fs::is_directory(folder, error)) return;
  fs::create_directories(folder, error);
  if (error) {
    throw StartupError(code,
                       text::format("cannot make folder {}: {}", folder.string(), error.message()));
  }
  chmod(folder.c_str(), mode);
}

// Where it is not held: whether another one has it, or nobody can.
template <class T>
T must_hold(Result<T> held, ExitCode otherwise) {
  if (held) return std::move(*held);
  const bool taken = held.error().kind == ErrorKind::kUnavailable;
  throw StartupError(taken ? ExitCode::kAlreadyRunning : otherwise, held.error().message);
}

}  // namespace

DatabaseLock lock_database(const std::string& path) {
  FileLock name = must_hold(FileLock::acquire(path), ExitCode::kDatabase);
  return {std::move(name), must_hold(DatabaseFiles::claim(path), ExitCode::kDatabase)};
}

DatabaseLock lock_database(const Effective& effective) {
  const std::string& path = effective.settings.database;
  make_default_folder(effective, "database", path, 0700, ExitCode::kDatabase);
  return lock_database(path);
}

Endpoint own_endpoint(const Effective& effective) {
  const std::string& path = effective.settings.socket;
  make_default_folder(effective, "socket", path, 0755, ExitCode::kSocket);
  return {path, Fd(), must_hold(FileLock::acquire(path), ExitCode::kSocket)};
}

// The folder of a socket that somebody else made may be closed to this process: then there is no
// lock, and the path is in the hands of who made it.
Endpoint inherited_endpoint(InheritedSocket socket, Logger& log) {
  Endpoint endpoint{socket.path, std::move(socket.fd), std::nullopt};
  auto held = FileLock::acquire(endpoint.path);
  if (held) {
    endpoint.lock = std::move(*held);
  } else if (held.error().kind == ErrorKind::kUnavailable) {
    throw StartupError(ExitCode::kAlreadyRunning, held.error().message);
  } else {
    log.debug("{}: going on without a lock", held.error().message);
  }
  return endpoint;
}

}  // namespace concur
