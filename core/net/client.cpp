#include "net/client.hpp"

#include "base/text.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace concur {

namespace {

using SteadyClock = std::chrono::steady_clock;

// Between requests nothing is to be read but the end.
bool is_closed(const Fd& fd) {
  pollfd entry{.fd = fd.get(), .events = POLLIN | POLLRDHUP, .revents = 0};
  return ::poll(&entry, 1, 0) != 0;
}

}  // namespace

Client::Client(std::vector<std::string> paths, Millis timeout)
    : paths_(std::move(paths)), timeout_(timeout) {}

Result<HttpAnswer> Client::request(std::string_view method, std::string_view target,
                                   std::string_view body, Millis more) {
  const Millis time = timeout_ + more;
  const Deadline to_connect = SteadyClock::now() + timeout_;
  const Deadline deadline = to_connect + more;
  given_up_ = false;
  sent_ = false;
  std::string bytes = text::format("{} {} HTTP/1.1\r\nHost: concurrencyd\r\n", method, target);
  if (!body.empty()) bytes += "Content-Type: application/json\r\n";
  if (method != "GET") bytes += text::format("Content-Length: {}\r\n", body.size());
  bytes += "\r\n";
  bytes += body;

  if (fd_ && is_closed(fd_)) fd_.close();
  for (;;) {
    if (!fd_) {
      auto connected = connect(to_connect);
      if (!connected) return std::move(connected).error();
      fd_ = std::move(connected->fd);
      path_ = std::move(connected->path);
    }
    auto answer = send(bytes, deadline) ? receive(deadline, time) : no_answer_within(time, path_);
    if (answer) return answer;
    fd_.close();
    // A daemon that stops takes no more on the connections it has: the next one is asked.
    const bool unasked = !sent_ && answer.error().kind == ErrorKind::kUnavailable;
    if (!unasked || !pause(to_connect)) return answer;
  }
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

// A moment, before something is tried again. False where there is no time left for it.
bool Client::pause(Deadline deadline) {
  constexpr Millis kMoment{10};
  wait(-1, 0, std::min(deadline, SteadyClock::now() + kMoment));
  return !given_up_ && left_until(deadline).count() > 0;
}

Result<Connected> Client::connect(Deadline deadline) {
  return connect_to(paths_, deadline, timeout_, [this](Deadline until) {
    wait(-1, 0, until);
    return !given_up_;
  });
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

Result<HttpAnswer> Client::receive(Deadline deadline, Millis time) {
  AnswerReader reader(AnswerParser::Body::kWhole);
  while (!reader.done()) {
    if (!wait(fd_.get(), POLLIN, deadline)) return no_answer_within(time, path_);
    if (auto read = reader.read(fd_.get(), path_); !read) return std::move(read).error();
  }
  if (!reader.reusable()) fd_.close();
  return reader.parser().take();
}

Result<ClientStream> Client::open(std::string_view method, std::string_view target,
                                  ClientStream::Body body) {
  given_up_ = false;
  auto connected = connect(SteadyClock::now() + timeout_);
  if (!connected) return std::move(connected).error();
  return ClientStream(std::move(*connected), method, target, body);
}

}  // namespace concur
