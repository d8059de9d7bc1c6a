#include "base/line_writer.hpp"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>
#include <utility>

namespace concur {

struct LineWriter::Shared {
  int to;
  Notice notice;
  std::mutex mutex;
  std::condition_variable changed;
  std::string waiting;
  std::uint64_t dropped = 0;  // since the last notice
  bool closing = false;
  bool writing = false;

  bool idle() const { return waiting.empty() && dropped == 0 && !writing; }

  // The notice goes where the gap is: before the next line, or last. With the lock held.
  void note_dropped() {
    if (dropped > 0) waiting += notice(std::exchange(dropped, 0));
  }

  // False where nothing can be written any more.
  bool write_all(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t written = ::write(to, text.data(), text.size());
      if (written > 0) {
        text.remove_prefix(static_cast<std::size_t>(written));
      } else if (written < 0 && errno == EAGAIN) {
        // Somebody who shares the terminal or the pipe made it so.
        pollfd entry{to, POLLOUT, 0};
        ::poll(&entry, 1, -1);
      } else if (written < 0 && errno != EINTR) {
        return false;
      }
    }
    return true;
  }

  void run() {
    std::string taken;
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [this] { return !waiting.empty() || dropped > 0 || closing; });
      note_dropped();
      if (waiting.empty()) break;
      taken.clear();
      taken.swap(waiting);
      writing = true;
      lock.unlock();
      write_all(taken);
      lock.lock();
      writing = false;
      changed.notify_all();
    }
  }
};

LineWriter::LineWriter(int to, Notice notice) : shared_(std::make_shared<Shared>()) {
  shared_->to = to;
  shared_->notice = std::move(notice);
  // Signals are for the threads that handle them.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    std::thread thread([shared = shared_] { shared->run(); });
    pthread_setname_np(thread.native_handle(), "log");
    thread.detach();
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

LineWriter::~LineWriter() {
  flush();
  const std::lock_guard lock(shared_->mutex);
  shared_->closing = true;
  shared_->changed.notify_all();
}

void LineWriter::flush() {
  std::unique_lock lock(shared_->mutex);
  shared_->changed.wait_for(lock, kPatience, [this] { return shared_->idle(); });
}

void LineWriter::write(std::string_view line) {
  {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->waiting.size() + line.size() > kMaxWaiting) {
      ++shared_->dropped;
      return;
    }
    shared_->note_dropped();
    shared_->waiting += line;
  }
  shared_->changed.notify_all();
}

}  // namespace concur
