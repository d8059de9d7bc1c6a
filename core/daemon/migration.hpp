#pragma once

#include "base/log.hpp"
#include "daemon/settings.hpp"

namespace concur {

// Brings the database to the newest schema, creating it where it is absent, and does nothing else;
// root does it as the database's owner. Throws StartupError where it cannot, or where a daemon runs
// on it. How far it is shows on the terminal, or in the log.
void migrate_database(const SettingInputs& inputs, const Effective& effective, Logger& log);

}  // namespace concur
