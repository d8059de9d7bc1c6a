#include "scheduler.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

namespace concur::simulation {

namespace {

pid_t own_id() {
  thread_local const auto id = static_cast<pid_t>(syscall(SYS_gettid));
  return id;
}

std::string read_all(int fd) {
  std::array<char, 512> text{};
  const ssize_t size = pread(fd, text.data(), text.size(), 0);
  return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : std::string();
}

// The letter behind the name in parentheses (proc(5), /proc/pid/stat).
bool sleeps(const std::string& stat) {
  const std::size_t end = stat.rfind(')');
  return end == std::string::npos || stat.substr(end + 2, 1) == "S";
}

}  // namespace

Scheduler::Scheduler() : main_(own_id()) {}

Scheduler::~Scheduler() { forget_threads(); }

void Scheduler::forget_threads() {
  for (const Thread& thread : threads_) {
    close(thread.state);
    close(thread.runs);
  }
  threads_.clear();
}

void Scheduler::find_threads() {
  forget_threads();
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    const pid_t id = std::stoi(entry.path().filename().string());
    if (id == main_) continue;
    const std::string folder = entry.path().string();
    const int state = ::open((folder + "/stat").c_str(), O_RDONLY | O_CLOEXEC);
    const int runs = ::open((folder + "/schedstat").c_str(), O_RDONLY | O_CLOEXEC);
    threads_.push_back({id, state, runs});
  }
}

void Scheduler::open(bool is_open) {
  const std::lock_guard lock(mutex_);
  is_open_ = is_open;
  changed_.notify_all();
}

void Scheduler::pass() {
  Ticket ticket{own_id()};
  if (ticket.id == main_) return;
  std::unique_lock lock(mutex_);
  if (is_open_) return;
  waiting_.push_back(&ticket);
  changed_.wait(lock, [&] { return ticket.may_go || is_open_; });
  std::erase(waiting_, &ticket);
}

// What tells how often a thread has run comes before its state: a thread that ran between two looks
// is found out by the second.
bool Scheduler::all_sleep(std::vector<std::string>& seen) const {
  seen.clear();
  for (const Thread& thread : threads_) {
    seen.push_back(read_all(thread.runs));
    if (!sleeps(read_all(thread.state))) return false;
  }
  return true;
}

void Scheduler::wait_until_idle() {
  std::vector<std::string> first;
  std::vector<std::string> second;
  while (!all_sleep(first) || !all_sleep(second) || first != second) sched_yield();
}

std::size_t Scheduler::waiting() {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

void Scheduler::run_one(Random& random) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty()) return;
    std::ranges::sort(waiting_, {}, [](const Ticket* each) { return each->id; });
    waiting_[random.below(waiting_.size())]->may_go = true;
    changed_.notify_all();
  }
  wait_until_idle();
}

}  // namespace concur::simulation
