#include "daemon/migration.hpp"

#include "daemon/endpoint.hpp"
#include "daemon/exit_code.hpp"
#include "daemon/notifier.hpp"
#include "daemon/owner.hpp"
#include "store/schema.hpp"
#include "store/store.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <string>

namespace concur {

void migrate_database(const SettingInputs& inputs, const Effective& effective, Logger& log) {
  const std::string& path = effective.settings.database;
  become_owner(path);
  umask(0077);
  std::signal(SIGXFSZ, SIG_IGN);
  Notifier notifier(inputs.environment, getpid());
  const std::function<void()> tick = [&notifier] { notifier.needs_time(); };
  const DatabaseLock database_lock = lock_database(effective);
  const auto store = Store::open(path, effective.settings.durability, boot_id(), &tick);
  if (!store) throw StartupError(ExitCode::kDatabase, store.error().message);
  log.info("database {} has schema {}", path, newest_schema());
}

}  // namespace concur
