#include "load/loop.hpp"

#include <fmt/format.h>

#include <sys/epoll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace concur::bench {
namespace {

constexpr std::chrono::seconds kStall{10};
constexpr std::chrono::nanoseconds kTick = std::chrono::milliseconds(250);
constexpr std::size_t kEvents = 256;

std::string first_line(std::string_view head) {
  return std::string(head.substr(0, std::min(head.find('\r'), std::size_t{120})));
}

bool is_sensible(int status) {
  return status > 0 && static_cast<std::size_t>(status) < Outcome::kStatuses;
}

void control(const Fd& epoll, int operation, int fd, std::size_t at, unsigned events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = at;
  if (::epoll_ctl(epoll.get(), operation, fd, &event) != 0) {
    throw std::runtime_error(fmt::format("cannot watch a connection: {}", std::strerror(errno)));
  }
}

}  // namespace

Loop::Loop(const LoopSettings& settings, const Dialect& dialect, const SessionNames& names,
           Work& work)
    : servers_(settings.servers),
      names_(&names),
      work_(&work),
      pacer_(settings.pace),
      by_second_(settings.by_second),
      expect_only_200_(settings.expect_only_200),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      watching_writes_(settings.connections * settings.servers.count(), false) {
  // An open loop wakes at exact moments; the usual slack of 50 µs would count as latency.
  ::prctl(PR_SET_TIMERSLACK, 1UL);
  connections_.reserve(watching_writes_.size());
  for (std::size_t at = 0; at < watching_writes_.size(); ++at) {
    Fd fd = servers_.connect(at % servers_.count());
    if (dialect.greet) {
      dialect.greet(fd);
    }
    set_nonblocking(fd);
    control(epoll_, EPOLL_CTL_ADD, fd.get(), at, EPOLLIN);
    connections_.emplace_back(std::move(fd), settings.pipeline, settings.bursts, dialect);
  }
  open_ = connections_.size();
}

Outcome Loop::run() {
  begin_ = Clock::now();
  Clock::time_point now = begin_;
  last_answer_ = begin_;
  pacer_.begin(begin_);
  if (!pacer_.open_loop()) {
    for (std::size_t at = 0; at < connections_.size(); at += servers_.count()) {
      top_up(at, Clock::now());
      flush(at);
    }
  }
  while (open_ > 0 && (!pacer_.finished(now) || unanswered_ > 0)) {
    if (pacer_.open_loop()) {
      send_due(now);
    }
    wait_for_events(now);
    now = Clock::now();
    if (unanswered_ > 0 && now - waiting_since_ > kStall) {
      for (std::size_t at = 0; at < connections_.size(); ++at) {
        drop(at, "no answer for ten seconds");
      }
    }
  }
  outcome_.seconds = std::chrono::duration<double>(last_answer_ - begin_).count();
  return outcome_;
}

void Loop::wait_for_events(Clock::time_point now) {
  std::chrono::nanoseconds wait = kTick;
  const auto with_room = [](const Connection& connection) { return connection.has_room(); };
  if (pacer_.open_loop() && !pacer_.finished(now) &&
      std::any_of(connections_.begin(), connections_.end(), with_room)) {
    wait = std::clamp(pacer_.next_due() - Clock::now(), std::chrono::nanoseconds(0), kTick);
  }
  std::array<epoll_event, kEvents> events;
  const timespec timeout{.tv_sec = 0, .tv_nsec = wait.count()};
  const int count = ::epoll_pwait2(epoll_.get(), events.data(), kEvents, &timeout, nullptr);
  if (count < 0 && errno != EINTR) {
    throw std::runtime_error(fmt::format("cannot wait for answers: {}", std::strerror(errno)));
  }
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    handle(event.data.u64, event.events);
  }
}

void Loop::handle(std::size_t at, unsigned events) {
  Connection& connection = connections_[at];
  if (!connection.open()) {
    return;
  }
  if ((events & ~EPOLLOUT) != 0) {
    const bool alive = connection.receive();
    // One reading of the clock serves as the end of these requests and the beginning of the next.
    const Clock::time_point now = Clock::now();
    Answered answered;
    while (connection.next_answer(answered)) {
      if (!is_sensible(answered.status)) {
        drop(at, "no sense in an answer: " + first_line(answered.head));
        return;
      }
      take_answer(answered, now);
    }
    if (!alive) {
      drop(at, "connection closed by the server");
      return;
    }
    top_up(at, now);
  }
  flush(at);
}

void Loop::take_answer(const Answered& answered, Clock::time_point now) {
  ++outcome_.answers[static_cast<std::size_t>(answered.status)];
  ++outcome_.requests;
  --unanswered_;
  outcome_.latency.add(now - answered.asked.since);
  last_answer_ = waiting_since_ = now;
  if (by_second_) {
    add_to_second(answered, now);
  }
  const bool right = work_->answered(answered.asked.request, answered.status);
  const bool expected = expect_only_200_ ? answered.status == 200 : right;
  if (!expected) {
    outcome_.count_error(1, fmt::format("unexpected answer: {}", first_line(answered.head)));
  }
}

void Loop::add_to_second(const Answered& answered, Clock::time_point now) {
  const auto second =
      std::chrono::duration_cast<std::chrono::seconds>(answered.asked.since - begin_);
  const auto at = static_cast<std::size_t>(second.count());
  if (outcome_.by_second.size() <= at) {
    outcome_.by_second.resize(at + 1);
  }
  outcome_.by_second[at].add(now - answered.asked.since);
}

void Loop::ask(Connection& connection, const Request& request, Clock::time_point now) {
  connection.ask(request, pacer_.send(now), *names_);
  if (unanswered_++ == 0) {
    waiting_since_ = now;
  }
}

void Loop::top_up(std::size_t at, Clock::time_point now) {
  if (servers_.count() > 1) {
    return ask_owner(at / servers_.count(), now);
  }
  while (connections_[at].has_room() && pacer_.may_send(now)) {
    ask(connections_[at], work_->next(), now);
  }
}

// A client of a cluster has one request under way, whichever server it is at.
void Loop::ask_owner(std::size_t client, Clock::time_point now) {
  const std::size_t first = client * servers_.count();
  for (std::size_t at = first; at < first + servers_.count(); ++at) {
    if (!connections_[at].has_room()) {
      return;
    }
  }
  if (!pacer_.may_send(now)) {
    return;
  }
  const Request request = work_->next();
  const std::size_t at = first + servers_.owner(request.user);
  ask(connections_[at], request, now);
  flush(at);
}

// Hands each due request to the next connection that has room; without one they wait, late.
void Loop::send_due(Clock::time_point now) {
  std::size_t full = 0;
  while (full < connections_.size() && pacer_.may_send(now)) {
    const std::size_t at = next_to_send_;
    next_to_send_ = at + 1 == connections_.size() ? 0 : at + 1;
    Connection& connection = connections_[at];
    if (!connection.has_room()) {
      ++full;
      continue;
    }
    full = 0;
    ask(connection, work_->next(), now);
    flush(at);
  }
}

void Loop::flush(std::size_t at) {
  Connection& connection = connections_[at];
  if (!connection.flush()) {
    drop(at, "connection closed by the server");
  } else if (connection.has_unsent() != watching_writes_[at]) {
    watch(at);
  }
}

void Loop::watch(std::size_t at) {
  watching_writes_[at] = connections_[at].has_unsent();
  control(epoll_, EPOLL_CTL_MOD, connections_[at].fd(), at,
          watching_writes_[at] ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void Loop::drop(std::size_t at, const std::string& why) {
  Connection& connection = connections_[at];
  if (connection.open()) {
    outcome_.count_error(std::max<std::size_t>(connection.unanswered(), 1), why);
    unanswered_ -= connection.unanswered();
    connection.close();
    --open_;
  }
}

}  // namespace concur::bench
