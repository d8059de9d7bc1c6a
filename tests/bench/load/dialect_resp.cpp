#include "load/dialect.hpp"

#include "common/unix_socket.hpp"

#include <fmt/format.h>

#include <sys/socket.h>

#include <charconv>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <vector>

namespace concur::bench {
namespace {

constexpr timeval kLoadWait{.tv_sec = 5, .tv_usec = 0};

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string content{std::istreambuf_iterator<char>(file), {}};
  if (!file || content.empty()) {
    throw std::runtime_error(fmt::format("cannot read {}", path));
  }
  return content;
}

std::string bulk(std::string_view value) {
  return fmt::format("${}\r\n{}\r\n", value.size(), value);
}

// Loads one script and returns its hash, which Redis answers as a bulk string of 40 bytes.
std::string load_script(const Fd& fd, const std::string& path) {
  const std::string request = "*3\r\n" + bulk("SCRIPT") + bulk("LOAD") + bulk(read_file(path));
  constexpr std::string_view kHead = "$40\r\n";
  constexpr std::size_t kReply = kHead.size() + 40 + 2;
  std::string reply;
  if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) ==
      static_cast<ssize_t>(request.size())) {
    char chunk[512];
    ssize_t got = 0;
    do {
      got = ::recv(fd.get(), chunk, sizeof chunk, 0);
      reply.append(chunk, got > 0 ? static_cast<std::size_t>(got) : 0);
    } while (got > 0 && reply.size() < kReply && !reply.starts_with('-'));
  }
  if (reply.size() != kReply || !reply.starts_with(kHead)) {
    throw std::runtime_error(
        fmt::format("cannot load {}: {}", path, reply.empty() ? "no answer" : reply));
  }
  return reply.substr(kHead.size(), 40);
}

RequestTemplate make_request(const std::string& hash, const std::vector<std::string>& arguments) {
  const std::string before_user = fmt::format("*{}\r\n", 6 + arguments.size()) + bulk("EVALSHA") +
                                  bulk(hash) + bulk("1") + fmt::format("${}\r\n", kUserLength);
  const std::string before_session =
      before_user + std::string(kUserLength, '0') + fmt::format("\r\n${}\r\n", kSessionLength);
  const std::string before_time =
      before_session + std::string(kSessionLength, '0') + fmt::format("\r\n${}\r\n", kTimeLength);
  RequestTemplate request{.bytes = before_time + std::string(kTimeLength, '0') + "\r\n",
                          .user_at = before_user.size(),
                          .session_at = before_session.size(),
                          .time_at = before_time.size()};
  for (const std::string& argument : arguments) {
    request.bytes += bulk(argument);
  }
  return request;
}

// A number, and the end of its line; 0 while it is incomplete.
struct Number {
  std::size_t end = 0;
  bool valid = false;
  long value = 0;
};

Number read_number(std::string_view bytes) {
  const std::size_t end = bytes.find('\n');
  if (end == std::string_view::npos) {
    return {};
  }
  Number number{.end = end + 1};
  number.valid =
      bytes[0] == ':' &&
      std::from_chars(bytes.data() + 1, bytes.data() + end, number.value).ec == std::errc{};
  return number;
}

Answer read_resp(std::string_view bytes, Operation operation) {
  const Number count = read_number(bytes);
  return {.head = count.end,
          .body = 0,
          .status = count.valid ? status_of_count(count.value, operation) : kMalformed};
}

// What WAIT says stands behind the count; where no replica had it in time the primary's word is
// taken, as the daemon does.
Answer read_acknowledged(std::string_view bytes, Operation operation) {
  Answer answer = read_resp(bytes, operation);
  if (operation == Operation::heartbeat || answer.head == 0 || answer.status == kMalformed) {
    return answer;
  }
  const Number replicas = read_number(bytes.substr(answer.head));
  if (replicas.end == 0) {
    return {};
  }
  answer.head += replicas.end;
  answer.status = replicas.valid ? answer.status : kMalformed;
  return answer;
}

struct Hashes {
  std::string start;
  std::string heartbeat;
  std::string end;
};

Hashes load_scripts(const Fd& fd, const std::string& directory) {
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kLoadWait, sizeof kLoadWait);
  const auto load = [&](const char* name) {
    return load_script(fd, fmt::format("{}/{}", directory, name));
  };
  return {.start = load("start.lua"), .heartbeat = load("heartbeat.lua"), .end = load("end.lua")};
}

Dialect make_dialect(const RedisScripts& scripts) {
  Hashes hashes;
  for (std::size_t at = 0; at < scripts.servers.count(); ++at) {
    hashes = load_scripts(scripts.servers.connect(at), scripts.directory);
  }
  const std::string lease_ms =
      std::to_string(std::chrono::milliseconds(scripts.terms.lease).count());
  return {.requests = {make_request(hashes.start, {lease_ms, std::to_string(scripts.terms.limit)}),
                       make_request(hashes.heartbeat, {lease_ms}), make_request(hashes.end, {})},
          .read = &read_resp};
}

}  // namespace

Dialect resp_dialect(const RedisScripts& scripts) { return make_dialect(scripts); }

Dialect cluster_dialect(const RedisScripts& scripts) {
  const std::string wait = "*3\r\n" + bulk("WAIT") + bulk("1") + bulk("250");
  Dialect dialect = make_dialect(scripts);
  dialect.requests[static_cast<std::size_t>(Operation::start)].bytes += wait;
  dialect.requests[static_cast<std::size_t>(Operation::end)].bytes += wait;
  dialect.read = &read_acknowledged;
  return dialect;
}

}  // namespace concur::bench
