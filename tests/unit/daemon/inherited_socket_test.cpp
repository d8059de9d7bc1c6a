#include "daemon/inherited_socket.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>

using namespace concur;

namespace {

std::optional<InheritedSocket> inherited(std::map<std::string, std::string> variables) {
  constexpr pid_t kSelf = 42;
  return *inherited_socket(
      [&variables](const std::string& name) {
        const auto found = variables.find(name);
        return found == variables.end() ? std::nullopt : std::optional(found->second);
      },
      kSelf);
}

}  // namespace

// One that is there: tests/system/test_service_manager.py.
TEST_CASE("inherited_socket is none where none is meant for this process") {
  CHECK_FALSE(inherited({}).has_value());
  CHECK_FALSE(inherited({{"LISTEN_FDS", "1"}}).has_value());
  CHECK_FALSE(inherited({{"LISTEN_PID", "43"}, {"LISTEN_FDS", "1"}}).has_value());
  CHECK_FALSE(inherited({{"LISTEN_PID", "42"}, {"LISTEN_FDS", "0"}}).has_value());
}
