#include "daemon/inherited_socket.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>

using namespace concur;

namespace {

std::size_t inherited(std::map<std::string, std::string> variables) {
  constexpr pid_t kSelf = 42;
  return inherited_sockets(
             [&variables](const std::string& name) {
               const auto found = variables.find(name);
               return found == variables.end() ? std::nullopt : std::optional(found->second);
             },
             kSelf)
      ->size();
}

}  // namespace

// One that is there: tests/system/test_service_manager.py.
TEST_CASE("inherited_sockets are none where none are meant for this process") {
  CHECK(inherited({}) == 0);
  CHECK(inherited({{"LISTEN_FDS", "1"}}) == 0);
  CHECK(inherited({{"LISTEN_PID", "43"}, {"LISTEN_FDS", "1"}}) == 0);
  CHECK(inherited({{"LISTEN_PID", "42"}, {"LISTEN_FDS", "0"}}) == 0);
}
