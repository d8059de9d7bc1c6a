#include "net/client.hpp"

#include "base/duration.hpp"

#include <fmt/format.h>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <optional>

namespace concur {

namespace {

namespace http = boost::beast::http;
using SteadyClock = std::chrono::steady_clock;

constexpr Millis kFirstPause{10};
constexpr Millis kLongestPause{250};
constexpr std::uint32_t kMaxAnswerHead = 8 * 1024;
constexpr std::size_t kReadSize = std::size_t{16} * 1024;  // room for a whole head
constexpr const char* kStuckHint =
    "the daemon is stuck or overloaded: look at its log, or wait longer with --timeout";
constexpr std::size_t kMaxPath = sizeof(sockaddr_un{}.sun_path) - 1;

// Keeps of an answer what a caller needs, and no header fields.
class AnswerParser final : public http::basic_parser<false> {
 public:
  AnswerParser() {
    body_limit(kMaxAnswerBody);
    header_limit(kMaxAnswerHead);
    eager(true);
  }

  HttpAnswer take() { return std::move(answer_); }

 private:
  using Code = boost::beast::error_code;
  using Text = boost::beast::string_view;

  void on_request_impl(http::verb, Text, Text, int, Code&) override {}
  void on_response_impl(int status, Text, int, Code&) override { answer_.status = status; }
  void on_field_impl(http::field name, Text, Text value, Code&) override {
    if (name == http::field::content_type) answer_.json = value.starts_with("application/json");
  }
  void on_header_impl(Code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, Code&) override {
    if (length) answer_.body.reserve(*length);
  }
  std::size_t on_body_impl(Text part, Code&) override {
    answer_.body.append(part.data(), part.size());
    return part.size();
  }
  void on_chunk_header_impl(std::uint64_t, Text, Code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, Text part, Code& code) override {
    return on_body_impl(part, code);
  }
  void on_finish_impl(Code&) override {}

  HttpAnswer answer_;
};

Millis left_until(SteadyClock::time_point deadline) {
  return std::max(Millis(0), std::chrono::ceil<Millis>(deadline - SteadyClock::now()));
}

// Between requests nothing is to be read but the end.
bool is_closed(const Fd& fd) {
  pollfd entry{.fd = fd.get(), .events = POLLIN | POLLRDHUP, .revents = 0};
  return ::poll(&entry, 1, 0) != 0;
}

struct Attempt {
  Fd fd;
  int error = 0;  // errno where there is no connection
};

Attempt try_connect(const std::string& path) {
  if (path.size() > kMaxPath) return {Fd(), ENAMETOOLONG};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, kMaxPath);
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return {Fd(), errno};
  const auto* to = reinterpret_cast<const sockaddr*>(&address);
  if (::connect(fd.get(), to, sizeof address) != 0) return {Fd(), errno};
  return {std::move(fd), 0};
}

// How one failed path is told: of several, the error speaks of the one that tells most (the
// highest).
struct Failure {
  int weight = 0;
  ErrorKind kind = ErrorKind::kUnavailable;
  std::string cause;
  std::string hint;
};

std::string owner_name(uid_t id) {
  const passwd* entry = ::getpwuid(id);
  return entry != nullptr ? entry->pw_name : fmt::format("user {}", id);
}

std::string group_name(gid_t id) {
  const group* entry = ::getgrgid(id);
  return entry != nullptr ? entry->gr_name : fmt::format("{}", id);
}

// What keeps this process out is the socket itself, or the lowest folder above it that can still be
// looked at.
std::string who_may_use(std::string path) {
  struct stat info {};
  while (::stat(path.c_str(), &info) != 0) {
    const std::size_t slash = path.find_last_of('/');
    if (slash == std::string::npos || slash == 0) return "run concur as a user who may use it";
    path.resize(slash);
  }
  const std::string owner = owner_name(info.st_uid);
  if ((info.st_mode & (S_ISDIR(info.st_mode) ? S_IXGRP : S_IWGRP)) == 0) {
    return fmt::format("{} is open to {} only: run concur as {}", path, owner, owner);
  }
  return fmt::format("{} is open to {} and the group {}: run concur as one of them", path, owner,
                     group_name(info.st_gid));
}

Failure explain(const std::string& path, int error, Millis timeout) {
  struct stat info {};
  switch (error) {
    case EACCES:
    case EPERM:
      return {5, ErrorKind::kForbidden, "permission denied", who_may_use(path)};
    case EAGAIN:
      return {4, ErrorKind::kTimeout,
              fmt::format("it took no connection within {}", format_duration(timeout)), kStuckHint};
    case ENAMETOOLONG:
      return {1, ErrorKind::kInvalid, fmt::format("a socket's path has at most {} bytes", kMaxPath),
              "use a shorter one for concurrencyd and concur"};
    case ENOENT:
    case ENOTDIR:
      return {0, ErrorKind::kAbsent, "no such socket",
              "start concurrencyd there, or name the socket it has with --socket"};
    case ECONNREFUSED:
    case EPROTOTYPE:
      if (error == EPROTOTYPE || ::stat(path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) {
        return {2, ErrorKind::kUnavailable, "it is not a daemon's socket",
                "name the one concurrencyd has with --socket"};
      }
      return {3, ErrorKind::kUnavailable, "nothing listens on it",
              "its daemon ended without removing it: start concurrencyd on it again"};
    default:
      return {2, ErrorKind::kUnavailable, std::strerror(error), {}};
  }
}

bool is_refusal(int error) { return error == EACCES || error == EPERM; }
bool is_too_long(int error) { return error == ENAMETOOLONG; }

Error cannot_connect(const std::vector<std::string>& paths, const std::vector<int>& errors,
                     Millis timeout) {
  if (paths.empty()) return {ErrorKind::kInvalid, "cannot connect: no socket is named"};
  Failure telling{.weight = -1, .kind = {}, .cause = {}, .hint = {}};
  std::string tried;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    Failure failure = explain(paths[i], errors[i], timeout);
    tried += fmt::format("{}{} ({})", i == 0 ? "" : " or ", paths[i], failure.cause);
    if (failure.weight > telling.weight) telling = std::move(failure);
  }
  if (paths.size() == 1) tried = fmt::format("{}: {}", paths[0], telling.cause);
  const char* separator = telling.hint.empty() ? "" : paths.size() == 1 ? "; " : ": ";
  return {telling.kind, fmt::format("cannot connect to {}{}{}", tried, separator, telling.hint)};
}

}  // namespace

Client::Client(std::vector<std::string> paths, Millis timeout)
    : paths_(std::move(paths)), timeout_(timeout) {}

Result<HttpAnswer> Client::request(std::string_view method, std::string_view target,
                                   std::string_view body) {
  const Deadline deadline = SteadyClock::now() + timeout_;
  given_up_ = false;
  sent_ = false;
  std::string bytes = fmt::format("{} {} HTTP/1.1\r\nHost: concurrencyd\r\n", method, target);
  if (!body.empty()) bytes += "Content-Type: application/json\r\n";
  if (method != "GET") bytes += fmt::format("Content-Length: {}\r\n", body.size());
  bytes += "\r\n";
  bytes += body;

  if (fd_ && is_closed(fd_)) fd_.close();
  if (!fd_) {
    if (auto connected = connect(deadline); !connected) return std::move(connected).error();
  }
  auto answer = send(bytes, deadline) ? receive(deadline) : out_of_time();
  if (!answer) fd_.close();
  return answer;
}

void Client::look_after(int fd, std::function<bool()> on_input) {
  watched_ = fd;
  on_input_ = std::move(on_input);
}

// Until the events are there: true. False where the time is over first, or the request is given up.
bool Client::wait(int fd, short events, Deadline until) {
  for (;;) {
    const auto left = left_until(until).count();
    // poll skips an entry whose descriptor is -1.
    pollfd entries[] = {{.fd = fd, .events = events, .revents = 0},
                        {.fd = watched_, .events = POLLIN, .revents = 0}};
    ::poll(entries, 2, static_cast<int>(std::min<Millis::rep>(left, INT_MAX)));
    if (entries[1].revents != 0 && !on_input_()) {
      given_up_ = true;
      return false;
    }
    if (entries[0].revents != 0) return true;
    if (left == 0) return false;
  }
}

Result<void> Client::connect(Deadline deadline) {
  std::vector<int> errors(paths_.size());
  for (Millis pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    for (std::size_t i = 0; i < paths_.size(); ++i) {
      Attempt attempt = try_connect(paths_[i]);
      if (attempt.fd) {
        fd_ = std::move(attempt.fd);
        path_ = &paths_[i];
        return {};
      }
      errors[i] = attempt.error;
    }
    if (left_until(deadline).count() == 0 || std::ranges::any_of(errors, is_refusal) ||
        std::ranges::all_of(errors, is_too_long)) {
      return cannot_connect(paths_, errors, timeout_);
    }
    wait(-1, 0, std::min(deadline, SteadyClock::now() + pause));
    if (given_up_) return cannot_connect(paths_, errors, timeout_);
  }
}

// False where the time is over first. A peer that closed counts as served: one that refuses a
// request unread has answered before, and that answer is still to be received.
bool Client::send(std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
      sent_ = true;
    } else if (errno != EAGAIN && errno != EINTR) {
      return true;
    } else if (!wait(fd_.get(), POLLOUT, deadline)) {
      return false;
    }
  }
  return true;
}

Result<HttpAnswer> Client::receive(Deadline deadline) {
  AnswerParser parser;
  char buffer[kReadSize];
  std::size_t filled = 0;
  while (!parser.is_done()) {
    if (!wait(fd_.get(), POLLIN, deadline)) return out_of_time();
    const ssize_t got = ::recv(fd_.get(), buffer + filled, kReadSize - filled, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    boost::beast::error_code code;
    if (got > 0) {
      filled += static_cast<std::size_t>(got);
      const std::size_t used = parser.put(boost::asio::buffer(buffer, filled), code);
      filled -= used;
      std::memmove(buffer, buffer + used, filled);
    } else if (got == 0 && parser.is_header_done()) {
      parser.put_eof(code);
    } else if (parser.got_some() || filled > 0) {
      code = http::error::partial_message;
    } else {
      return Error{ErrorKind::kUnavailable,
                   fmt::format("cannot get an answer from {}: it closed the connection; look at "
                               "the daemon's log",
                               *path_)};
    }
    if (code && code != http::error::need_more) return unreadable(code);
  }
  if (filled > 0 || !parser.keep_alive()) fd_.close();
  HttpAnswer answer = parser.take();
  if (answer.status < 200) return unreadable(http::error::bad_status);
  return answer;
}

Error Client::out_of_time() const {
  return {ErrorKind::kTimeout, fmt::format("cannot get an answer from {}: none within {}; {}",
                                           *path_, format_duration(timeout_), kStuckHint)};
}

Error Client::unreadable(const boost::system::error_code& code) const {
  const std::string_view cause = code == http::error::partial_message
                                     ? "it was cut off; look at the daemon's log"
                                 : code == http::error::body_limit
                                     ? "it is larger than 64 MiB"
                                     : "it is not HTTP; name concurrencyd's socket with --socket";
  return {ErrorKind::kCorrupt, fmt::format("cannot read the answer from {}: {}", *path_, cause)};
}

}  // namespace concur
