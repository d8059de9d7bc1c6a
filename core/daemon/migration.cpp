#include "daemon/migration.hpp"

#include "base/log_progress.hpp"
#include "daemon/endpoint.hpp"
#include "daemon/exit_code.hpp"
#include "daemon/notifier.hpp"
#include "daemon/owner.hpp"
#include "store/schema.hpp"
#include "store/store.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <string>

namespace concur {

void migrate_database(const SettingInputs& inputs, const Effective& effective, Logger& log) {
  const std::string& path = effective.settings.database;
  become_owner(path);
  umask(0077);
  std::signal(SIGXFSZ, SIG_IGN);
  Notifier notifier(inputs.environment, getpid());
  const DatabaseLock database_lock = lock_database(effective);
  Progress progress(daemon_progress(log));
  const ReportWork report = [&notifier, &progress](const WorkState& work) {
    notifier.needs_time();
    progress.report(work);
  };
  const auto store = Store::open(path, effective.settings.durability, boot_id(), &report);
  progress.end();
  if (!store) throw StartupError(ExitCode::kDatabase, store.error().message);
  log.info("database {} has schema {}", path, newest_schema());
}

}  // namespace concur
