#include "daemon/notifier.hpp"

#include "support/temp_folder.hpp"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <map>
#include <string>

using namespace concur;
using concur::test::TempFolder;

namespace {

constexpr pid_t kSelf = 42;

Environment environment_of(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const std::string& name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

// What a service manager hears.
class Ear {
 public:
  explicit Ear(const std::string& path) : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }

  // The next message; empty where there is none.
  std::string next() const {
    char text[256];
    const ssize_t size = recv(fd_.get(), text, sizeof text, MSG_DONTWAIT);
    return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : "";
  }

 private:
  Fd fd_;
};

}  // namespace

TEST_CASE("Notifier") {
  const TempFolder folder;
  const std::string path = folder.file("notify");
  const Ear ear(path);

  SUBCASE("reports how the daemon is") {
    Notifier notifier(environment_of({{"NOTIFY_SOCKET", path}}), kSelf);
    notifier.ready();
    CHECK(ear.next() == "READY=1");
    notifier.reloading();
    CHECK(ear.next().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    notifier.stopping();
    CHECK(ear.next() == "STOPPING=1");
    notifier.alive();
    CHECK(ear.next() == "WATCHDOG=1");
    CHECK(ear.next().empty());
  }
  SUBCASE("asks for time at once, and not again within a second") {
    Notifier notifier(environment_of({{"NOTIFY_SOCKET", path}}), kSelf);
    for (int i = 0; i < 100; ++i) notifier.needs_time();
    CHECK(ear.next() == "EXTEND_TIMEOUT_USEC=60000000");
    CHECK(ear.next().empty());
  }
  SUBCASE("is watched where the variables say so, and it is meant") {
    const auto watched = [&](std::map<std::string, std::string> variables) {
      variables["NOTIFY_SOCKET"] = path;
      return Notifier(environment_of(std::move(variables)), kSelf).watchdog();
    };
    CHECK(watched({{"WATCHDOG_USEC", "30000000"}}) == std::chrono::seconds(30));
    CHECK(watched({{"WATCHDOG_USEC", "30000000"}, {"WATCHDOG_PID", "42"}}).has_value());
    CHECK_FALSE(watched({{"WATCHDOG_USEC", "30000000"}, {"WATCHDOG_PID", "43"}}).has_value());
    CHECK_FALSE(watched({{"WATCHDOG_USEC", "0"}}).has_value());
    CHECK_FALSE(watched({{"WATCHDOG_USEC", "soon"}}).has_value());
    CHECK_FALSE(watched({}).has_value());
  }
  SUBCASE("does not wait for a manager that does not listen") {
    Notifier notifier(environment_of({{"NOTIFY_SOCKET", path}}), kSelf);
    for (int i = 0; i < 1000; ++i) notifier.alive();
    notifier.stopping();
    CHECK(ear.next() == "WATCHDOG=1");
  }
  SUBCASE("says nothing where nobody is named, or nobody is there") {
    for (const std::string& name :
         {std::string(), folder.file("nobody"), std::string("vsock:2:1"), std::string(200, '/')}) {
      Notifier notifier(environment_of({{"NOTIFY_SOCKET", name}, {"WATCHDOG_USEC", "1"}}), kSelf);
      notifier.ready();
      notifier.needs_time();
      CHECK_FALSE(notifier.watchdog().has_value());
    }
    Notifier(environment_of({}), kSelf).ready();
    CHECK(ear.next().empty());
  }
}
