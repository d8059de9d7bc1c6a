#pragma once

#include <string>
#include <vector>

namespace concur::cli {

// Where the daemon may be: CONCUR_SOCKET where it is set and not empty, else the defaults of a
// daemon run as a service and of one run by this user.
std::vector<std::string> default_socket_paths();

}  // namespace concur::cli
