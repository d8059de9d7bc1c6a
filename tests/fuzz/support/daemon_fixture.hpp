#pragma once

#include "api/api.hpp"
#include "base/fd.hpp"
#include "net/connection.hpp"
#include "service/local_service.hpp"
#include "support/moments.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace concur::fuzz {

// Lets everybody in, in one role.
class OpenGate final : public Gate {
 public:
  explicit OpenGate(Role role) : role_(role) {}

  Caller identify(int /*socket*/) override { return {role_, "a fuzzer", true}; }
  std::optional<Refusal> authorize(Caller& /*caller*/, const Credentials& /*given*/) override {
    return std::nullopt;
  }
  bool is_still_valid(const Caller& /*caller*/) const override { return true; }

 private:
  Role role_;
};

// All of a daemon but its socket and its signals, with a database of its own and one client: bytes
// in, bytes out. Its clocks stand still until they are moved.
class DaemonFixture {
 public:
  explicit DaemonFixture(Role client);
  DaemonFixture(const DaemonFixture&) = delete;
  DaemonFixture& operator=(const DaemonFixture&) = delete;
  ~DaemonFixture();

  // Hands bytes to the connection, as far as it takes them, and lets the daemon work on them.
  void send(std::string_view bytes);
  // Time passes for leases and for the connection's patience.
  void pass(std::chrono::seconds time);
  // The client sends no more, and the connection comes to its end. All that the client received.
  std::string finish();
  // A clean stop of the service.
  void stop();

  using Name = std::pair<std::string, std::string>;  // of a user and of a session
  std::set<Name> active();                           // as the service lists them
  std::set<Name> stored() const;                     // as the next daemon would load them

 private:
  void work();
  bool busy() const;
  void receive();

  OpenGate gate_;
  std::string path_;
  test::FakeClock clock_;
  Logger log_{LogLevel::kError, LogFormat::kText};
  ClientMemory memory_{clock_, log_};
  boost::asio::io_context loop_;
  LoopRunner runner_{loop_};
  EventLog events_;
  LocalService service_;
  Api api_;
  Tick tick_ = 0;
  bool closed_ = false;
  Poller poller_{runner_.turn()};
  Fd client_;
  std::shared_ptr<Connection> connection_;
  std::string received_;
};

}  // namespace concur::fuzz
