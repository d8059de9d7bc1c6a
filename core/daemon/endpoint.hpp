#pragma once

#include "base/fd.hpp"
#include "base/log.hpp"
#include "daemon/file_lock.hpp"
#include "daemon/inherited_socket.hpp"
#include "daemon/settings.hpp"
#include "daemon/socket_file.hpp"
#include "store/database_files.hpp"

#include <memory>
#include <optional>
#include <string>

namespace concur {

// What a daemon must have to itself. Where another one has it, StartupError (kAlreadyRunning).

// The database, by its name and by its file: the first keeps out older versions, too, the second
// whoever knows the file by another name.
struct DatabaseLock {
  FileLock name;
  std::shared_ptr<DatabaseFiles> files;
};

// Its folder is made where it is the default one. StartupError (kDatabase) where it cannot be
// locked. To be called before SQLite opens the database.
DatabaseLock lock_database(const Effective& effective);
// The same for the database at that path, whose folder is there.
DatabaseLock lock_database(const std::string& path);

// Where it listens, and what keeps others from there.
struct Endpoint {
  std::string path;
  Fd listener;  // none: it is to be made
  std::optional<FileLock> lock;
  std::optional<SocketFile> file{};  // of the listener
};

// The setting's. StartupError (kSocket) where it cannot be locked.
Endpoint own_endpoint(const Effective& effective);

// That of a Unix socket which the service manager passed.
Endpoint inherited_endpoint(InheritedSocket socket, Logger& log);

}  // namespace concur
