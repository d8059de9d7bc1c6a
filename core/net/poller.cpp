#include "net/poller.hpp"

#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace concur {

namespace {

int make_set() {
  const int set = ::epoll_create1(EPOLL_CLOEXEC);
  if (set < 0) {
    throw boost::system::system_error(errno, boost::system::system_category(),
                                      "cannot watch connections");
  }
  return set;
}

}  // namespace

Poller::Poller(boost::asio::io_context& loop) : loop_(loop), set_(loop, make_set()) { wait(); }

void Poller::wait() {
  set_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                  [this](const boost::system::error_code& error) {
                    if (!error) take_turn();
                  });
}

void Poller::take_turn() {
  const int count = ::epoll_wait(set_.native_handle(), events_.data(), kMostReady, 0);
  ready_ = {events_.data(), static_cast<std::size_t>(std::max(count, 0))};
  in_turn_ = true;
  while (!ready_.empty()) {
    const epoll_event event = ready_.front();
    ready_ = ready_.subspan(1);
    if (event.data.ptr != nullptr) static_cast<Watcher*>(event.data.ptr)->on_ready(event.events);
  }
  end_turn(*late_);
  in_turn_ = false;
  end_turn(*late_);
  wait();
}

// What it leads to is for the next end.
void Poller::end_turn(Late& late) {
  late.called.swap(late.waiting);
  for (const auto& watcher : late.called) watcher->on_turn_end();
  late.called.clear();
}

bool Poller::watch(int socket, Watcher& watcher, Interest before, Interest now) {
  if (before == now) return true;
  epoll_event event{};
  event.events = now.value_or(0);
  event.data.ptr = &watcher;
  const int operation = !before ? EPOLL_CTL_ADD : !now ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
  return ::epoll_ctl(set_.native_handle(), operation, socket, &event) == 0;
}

void Poller::forget(const Watcher& watcher) {
  for (epoll_event& event : ready_) {
    if (event.data.ptr == &watcher) event.data.ptr = nullptr;
  }
}

void Poller::later(std::shared_ptr<Watcher> watcher) {
  late_->waiting.push_back(std::move(watcher));
  if (in_turn_ || late_->waiting.size() > 1) return;
  boost::asio::post(loop_, [late = late_] { end_turn(*late); });
}

}  // namespace concur
