#include "stage.hpp"

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

Stage::Stage() : main_(own_id()) {}

Stage::~Stage() { forget_actors(); }

void Stage::forget_actors() {
  for (const Actor& actor : actors_) {
    close(actor.state);
    close(actor.runs);
  }
  actors_.clear();
}

void Stage::meet() {
  forget_actors();
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    const pid_t id = std::stoi(entry.path().filename().string());
    if (id == main_) continue;
    const std::string folder = entry.path().string();
    const int state = ::open((folder + "/stat").c_str(), O_RDONLY | O_CLOEXEC);
    const int runs = ::open((folder + "/schedstat").c_str(), O_RDONLY | O_CLOEXEC);
    actors_.push_back({id, state, runs});
  }
}

void Stage::open(bool is_open) {
  const std::lock_guard lock(mutex_);
  is_open_ = is_open;
  changed_.notify_all();
}

void Stage::pass() {
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
bool Stage::all_sleep(std::vector<std::string>& seen) const {
  seen.clear();
  for (const Actor& actor : actors_) {
    seen.push_back(read_all(actor.runs));
    if (!sleeps(read_all(actor.state))) return false;
  }
  return true;
}

void Stage::settle() {
  std::vector<std::string> first;
  std::vector<std::string> second;
  while (!all_sleep(first) || !all_sleep(second) || first != second) sched_yield();
}

std::size_t Stage::waiting() {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

void Stage::let_one(Random& random) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty()) return;
    std::ranges::sort(waiting_, {}, [](const Ticket* each) { return each->id; });
    waiting_[random.below(waiting_.size())]->may_go = true;
    changed_.notify_all();
  }
  settle();
}

}  // namespace concur::simulation
