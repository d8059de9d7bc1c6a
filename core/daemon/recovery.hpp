#pragma once

#include "base/log.hpp"
#include "daemon/settings.hpp"

namespace concur {

// Salvages what can be read of the settings' database into a new one beside it,
// `<database>.recovered`, and says on standard output what was found, what was lost, and what to do
// next. The database is left as it was. Root does it as the database's owner. Throws StartupError
// where nothing can be read, or where a daemon runs on it. How far it is shows on the terminal, or
// in the log.
void recover_database(const Effective& effective, Logger& log);

}  // namespace concur
