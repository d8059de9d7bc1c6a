#pragma once

#include "base/text.hpp"
#include "engine/address.hpp"
#include "support/temp_folder.hpp"

#include <hiredis/hiredis.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// Real servers of Redis or Valkey on loopback, in a folder and on ports of their own, which end
// with the test.
namespace concur::test {

inline void wait_until(const std::function<bool()>& holds, const std::string& what,
                       std::chrono::seconds patience = std::chrono::seconds(30)) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) throw std::runtime_error("in vain: " + what);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

// Ports that nobody has at the moment.
inline std::vector<std::uint16_t> free_ports(std::size_t count) {
  std::vector<int> sockets;
  std::vector<std::uint16_t> ports;
  for (std::size_t i = 0; i < count; ++i) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    sockets.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto* const general = reinterpret_cast<sockaddr*>(&address);
    if (::bind(sockets.back(), general, size) != 0 ||
        ::getsockname(sockets.back(), general, &size) != 0) {
      throw std::runtime_error("cannot find a free port");
    }
    ports.push_back(ntohs(address.sin_port));
  }
  for (const int socket : sockets) ::close(socket);
  return ports;
}

class Server {
 public:
  using Options = std::vector<std::string>;

  // Each option and its values are words of their own: {"--maxmemory", "1mb"}.
  Server(const std::string& folder, std::uint16_t port, std::uint16_t bus_port, Options options)
      : folder_(folder), port_(port), bus_port_(bus_port), options_(std::move(options)) {
    start();
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() { kill(); }

  void start() {
    const char* const chosen = std::getenv("CONCUR_REDIS_SERVER");
    std::vector<std::string> words{chosen != nullptr ? chosen : CONCUR_REDIS_SERVER,
                                   "--port",
                                   std::to_string(port_),
                                   "--bind",
                                   "127.0.0.1",
                                   "--dir",
                                   folder_,
                                   "--save",
                                   "",
                                   "--appendonly",
                                   "no",
                                   "--daemonize",
                                   "no",
                                   "--logfile",
                                   log()};
    words.insert(words.end(), options_.begin(), options_.end());
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("cannot start a server");
    if (pid_ == 0) {
      ::execv(arguments[0], arguments.data());
      ::_exit(127);
    }
    wait_until([this] { return ask({"PING"}) == "PONG" || is_gone(); },
               "a server starts: " + log());
    if (pid_ < 0) throw std::runtime_error("a server does not start: " + log());
  }
  // As kill -9.
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
    connection_.reset();
  }
  void stop() { ::kill(pid_, SIGSTOP); }
  void go_on() { ::kill(pid_, SIGCONT); }

  // Of a text, status or error itself, of a number its digits; of all else nothing.
  std::string ask(const std::vector<std::string>& words) {
    const Reply reply = command(words);
    if (!reply) return {};
    if (reply->type == REDIS_REPLY_INTEGER) return std::to_string(reply->integer);
    return reply->str == nullptr ? std::string() : std::string(reply->str, reply->len);
  }
  void must(const std::vector<std::string>& words) {
    const std::string answer = ask(words);
    if (answer != "OK") throw std::runtime_error(words[0] + ": " + answer);
  }

  const std::string& host() const { return host_; }
  std::uint16_t port() const { return port_; }
  std::uint16_t bus_port() const { return bus_port_; }
  engine::Address address() const { return {host_, port_}; }

 private:
  using Connection = std::unique_ptr<redisContext, void (*)(redisContext*)>;
  using Reply = std::unique_ptr<redisReply, void (*)(void*)>;

  std::string log() const { return text::format("{}/{}.log", folder_, port_); }

  bool is_gone() {
    if (::waitpid(pid_, nullptr, WNOHANG) != pid_) return false;
    pid_ = -1;
    return true;
  }

  Reply command(const std::vector<std::string>& words) {
    Reply none(nullptr, freeReplyObject);
    if (!connection_ || connection_->err != 0) {
      timeval patience{5, 0};
      connection_.reset(redisConnectWithTimeout(host_.c_str(), port_, patience));
      if (!connection_ || connection_->err != 0) return none;
      redisSetTimeout(connection_.get(), patience);
    }
    std::vector<const char*> texts;
    std::vector<std::size_t> sizes;
    for (const std::string& word : words) {
      texts.push_back(word.data());
      sizes.push_back(word.size());
    }
    void* const reply = redisCommandArgv(connection_.get(), static_cast<int>(words.size()),
                                         texts.data(), sizes.data());
    return {static_cast<redisReply*>(reply), freeReplyObject};
  }

  std::string folder_;
  std::string host_ = "127.0.0.1";
  std::uint16_t port_;
  std::uint16_t bus_port_;
  Options options_;
  pid_t pid_ = -1;
  Connection connection_{nullptr, redisFree};
};

// Servers that know of each other by what is told to them, or not at all.
class Servers {
 public:
  Server& add(Server::Options options = {}) {
    const auto ports = free_ports(2);
    all_.push_back(
        std::make_unique<Server>(folder_.file(""), ports[0], ports[1], std::move(options)));
    return *all_.back();
  }
  Server& operator[](std::size_t which) { return *all_[which]; }
  std::size_t size() const { return all_.size(); }
  // Of the server at that port.
  Server& at(const engine::Address& address) {
    for (const auto& server : all_) {
      if (server->address() == address) return *server;
    }
    throw std::runtime_error("no server at " + to_text(address));
  }

 protected:
  std::vector<std::unique_ptr<Server>> all_;
  TempFolder folder_;
};

// Three primaries, then their replicas in the same order.
class Cluster : public Servers {
 public:
  static constexpr std::chrono::milliseconds kNodeTimeout{1000};

  Cluster() {
    for (int i = 0; i < 6; ++i) add_node();
    for (std::size_t i = 1; i < size(); ++i) {
      (*this)[0].must({"CLUSTER", "MEET", (*this)[i].host(), std::to_string((*this)[i].port()),
                       std::to_string((*this)[i].bus_port())});
    }
    (*this)[0].must({"CLUSTER", "ADDSLOTSRANGE", "0", "5460"});
    (*this)[1].must({"CLUSTER", "ADDSLOTSRANGE", "5461", "10922"});
    (*this)[2].must({"CLUSTER", "ADDSLOTSRANGE", "10923", "16383"});
    wait_until([this] { return all_say("cluster_known_nodes:6"); }, "all know each other");
    for (std::size_t i = 3; i < size(); ++i) {
      const std::string id = (*this)[i - 3].ask({"CLUSTER", "MYID"});
      wait_until([&] { return (*this)[i].ask({"CLUSTER", "REPLICATE", id}) == "OK"; }, "a replica");
    }
    wait_until([this] { return all_say("cluster_state:ok"); }, "the cluster is whole");
    for (std::size_t i = 3; i < size(); ++i) wait_for_replica((*this)[i]);
  }

  static void wait_for_replica(Server& server) {
    wait_until(
        [&server] {
          return server.ask({"INFO", "replication"}).find("master_link_status:up") !=
                 std::string::npos;
        },
        "a replica is up to date");
  }

 private:
  void add_node() {
    const auto ports = free_ports(2);
    all_.push_back(std::make_unique<Server>(
        folder_.file(""), ports[0], ports[1],
        Server::Options{"--cluster-enabled", "yes", "--cluster-port", std::to_string(ports[1]),
                        "--cluster-config-file", text::format("nodes-{}.conf", ports[0]),
                        "--cluster-node-timeout", std::to_string(kNodeTimeout.count()),
                        "--repl-diskless-sync-delay", "0"}));
  }
  bool all_say(const std::string& line) {
    for (const auto& server : all_) {
      if (server->ask({"CLUSTER", "INFO"}).find(line) == std::string::npos) return false;
    }
    return true;
  }
};

}  // namespace concur::test
