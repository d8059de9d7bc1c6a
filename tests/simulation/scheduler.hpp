#pragma once

#include "random.hpp"

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string>
#include <vector>

#include <sys/types.h>

namespace concur::simulation {

// Decides which thread goes on. All threads but the main one wait at the gate; the main one opens
// it for one of them, and waits until that one, and whoever it woke, waits again or sleeps. So the
// same seed gives the same order of all that happens, however the system schedules.
class Scheduler {
 public:
  Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;
  ~Scheduler();

  // Learns which threads there are. Call it when they have been made.
  void find_threads();
  // From now on nobody waits at the gate; or each does again.
  void open(bool is_open);

  // Any thread: returns when it may go on.
  void pass();

  // Main thread: returns when all others sleep or wait at the gate.
  void wait_until_idle();
  std::size_t waiting();
  // Lets one of those who wait through, and returns when everybody has settled.
  void run_one(Random& random);

 private:
  struct Thread {
    pid_t id;
    int state;  // files under /proc
    int runs;
  };
  struct Ticket {
    pid_t id;
    bool may_go = false;
  };

  bool all_sleep(std::vector<std::string>& seen) const;
  void forget_threads();

  pid_t main_;
  std::vector<Thread> threads_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Ticket*> waiting_;
  bool is_open_ = false;
};

}  // namespace concur::simulation
