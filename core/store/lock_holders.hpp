#pragma once

#include <string>

namespace concur {

// Who else has the database at `path` locked, and so keeps it from being written, as advice for the
// log: with the processes' names and ids where the system shows them (/proc/locks), which it does
// not across containers.
std::string lock_advice(const std::string& path);

}  // namespace concur
