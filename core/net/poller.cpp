#include "net/poller.hpp"

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <cerrno>

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

Poller::Poller(Turn& turn) : turn_(turn), set_(turn.loop(), make_set()) { wait(); }

// It waits anew before the turn goes on: behind its end another thread may run the loop.
void Poller::wait() {
  set_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                  [this](const boost::system::error_code& error) {
                    if (error) return;
                    turn_.run([this] {
                      read_all();
                      wait();
                    });
                  });
}

void Poller::read_all() {
  const int count = ::epoll_wait(set_.native_handle(), events_.data(), kMaxReady, 0);
  ready_ = {events_.data(), static_cast<std::size_t>(std::max(count, 0))};
  while (!ready_.empty()) {
    const epoll_event event = ready_.front();
    ready_ = ready_.subspan(1);
    if (event.data.ptr != nullptr) static_cast<Watcher*>(event.data.ptr)->on_ready(event.events);
  }
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

}  // namespace concur
