#include "socket_paths.hpp"

#include "base/socket_path.hpp"

#include <cstdlib>
#include <string_view>

namespace concur::cli {

namespace {

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace

std::vector<std::string> default_socket_paths() {
  if (const auto given = environment("CONCUR_SOCKET"); !given.empty()) {
    return {socket_path_of(given)};
  }
  std::vector<std::string> paths{"/run/concurrencyd/concurrencyd.sock"};
  if (const auto folder = environment("XDG_RUNTIME_DIR"); !folder.empty()) {
    paths.push_back(std::string(folder) + "/concurrencyd.sock");
  }
  return paths;
}

}  // namespace concur::cli
