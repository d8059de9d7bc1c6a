#include "net/connect.hpp"

#include "base/text.hpp"
#include "net/client.hpp"
#include "support/fake_daemon.hpp"
#include "support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace concur;
using namespace concur::test;
using namespace std::chrono_literals;

namespace {

Error error_of(const std::string& path, Millis timeout = 100ms) {
  Client client({path}, timeout);
  const auto answer = client.request("GET", "/");
  REQUIRE_FALSE(answer.has_value());
  return answer.error();
}

// Root passes every permission: the test is nobody for a while.
class AsNobody {
 public:
  AsNobody() : was_root_(::geteuid() == 0) {
    if (was_root_) REQUIRE(::seteuid(65534) == 0);
  }
  ~AsNobody() {
    if (was_root_ && ::seteuid(0) != 0) std::abort();
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;

 private:
  bool was_root_;
};

}  // namespace

TEST_CASE("Client tells of a connection it cannot make") {
  const TempFolder folder;
  const std::string path = folder.file("socket");
  const std::string dir = std::filesystem::path(path).parent_path();

  SUBCASE("that there is no socket") {
    const Error error = error_of(path);
    CHECK(error.kind == ErrorKind::kAbsent);
    CHECK(contains(error.message, "cannot connect to " + path + ": no such socket; "));
  }

  SUBCASE("that there is no folder for it") {
    CHECK(error_of(folder.file("folder/socket")).kind == ErrorKind::kAbsent);
  }

  SUBCASE("that the socket is stale") {
    listen_on(path, 1).close();
    const Error error = error_of(path);
    CHECK(error.kind == ErrorKind::kUnavailable);
    CHECK(contains(error.message, "nothing listens on it; "));
  }

  SUBCASE("that it is a file") {
    std::ofstream(path) << "text";
    CHECK(contains(error_of(path).message, "it is not a daemon's socket; "));
  }

  SUBCASE("that the path is too long, at once") {
    const auto begin = std::chrono::steady_clock::now();
    const Error error = error_of(folder.file(std::string(108, 'x')), 30s);
    CHECK(error.kind == ErrorKind::kInvalid);
    CHECK(contains(error.message, "at most 107 bytes"));
    CHECK(std::chrono::steady_clock::now() - begin < 10s);
  }

  SUBCASE("that the socket is forbidden, and to whom it is open, at once") {
    const Fd listener = listen_on(path, 1);
    ::chmod(dir.c_str(), 0755);
    ::chmod(path.c_str(), ::geteuid() == 0 ? 0600 : 0000);
    const auto begin = std::chrono::steady_clock::now();
    const AsNobody nobody;
    const Error error = error_of(path, 30s);
    CHECK(error.kind == ErrorKind::kForbidden);
    CHECK(contains(error.message, "permission denied; " + path + " is open to "));
    CHECK(std::chrono::steady_clock::now() - begin < 10s);
  }

  SUBCASE("that its folder is forbidden") {
    const Fd listener = listen_on(path, 1);
    ::chmod(dir.c_str(), ::geteuid() == 0 ? 0700 : 0000);
    {
      const AsNobody nobody;
      const Error error = error_of(path);
      CHECK(error.kind == ErrorKind::kForbidden);
      CHECK(contains(error.message, "permission denied; " + dir + " is open to "));
    }
    ::chmod(dir.c_str(), 0700);
  }

  SUBCASE("that the daemon takes no connection") {
    const Fd listener = listen_on(path, 0);
    Client first({path}, 50ms);
    CHECK(first.request("GET", "/").error().kind == ErrorKind::kTimeout);
    std::vector<Fd> waiting;
    for (int i = 0; i < 8; ++i) {
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      path.copy(address.sun_path, sizeof address.sun_path - 1);
      waiting.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      static_cast<void>(::connect(waiting.back().get(), reinterpret_cast<const sockaddr*>(&address),
                                  sizeof address));
    }
    const Error error = error_of(path);
    CHECK(error.kind == ErrorKind::kTimeout);
    CHECK(contains(error.message, "it took no connection within 100ms; "));
  }

  SUBCASE("each path, and the cause that tells most") {
    listen_on(path, 1).close();
    Client client({folder.file("none"), path}, 50ms);
    const Error error = client.request("GET", "/").error();
    CHECK(error.kind == ErrorKind::kUnavailable);
    CHECK(contains(error.message, text::format("cannot connect to {} (no such socket) or {} "
                                               "(nothing listens on it): its daemon ended",
                                               folder.file("none"), path)));
  }

  SUBCASE("that no path was given") {
    CHECK(Client({}, 1s).request("GET", "/").error().kind == ErrorKind::kInvalid);
  }
}
