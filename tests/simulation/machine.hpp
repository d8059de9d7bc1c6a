#pragma once

#include "disk.hpp"
#include "scheduler.hpp"
#include "time.hpp"
#include "vfs.hpp"

#include "service/local_service.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace concur::simulation {

// A machine on which the real service runs: with a disk, clocks and threads of the simulation's.
class Machine {
 public:
  explicit Machine(std::uint64_t seed);
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  ~Machine();

  // As it is stored.
  struct HoldOff {
    std::string user;
    std::string session;
    std::string device;
    std::string address;
    Mark mark{};
    WallTime since;
  };

  struct Gone {
    std::string user;
    std::string session;
    std::string reason;
    std::string by_session;
    std::string by_device;
    WallTime at;
    Millis ttl{};
    std::string message;
    Instant instant;         // `at`, by the clocks as they were when it was stored
    bool this_boot = false;  // by which that is still right
  };

  Disk disk;
  WorldClock clock;

  // As the daemon starts; tells how many rows were refused. An error where the database cannot be
  // opened.
  Result<std::uint64_t> start(const Policy& policy);
  bool is_running() const { return running_ != nullptr; }
  Service& service();
  const EventLog& events();

  // Everything that is ready happens, until there is nothing left to do or the machine is dead.
  void run();
  // A part of it: at most so many turns of a thread.
  void run_a_little(std::uint64_t turns);
  // Time passes and the loop runs on time.
  void advance(Millis by);

  // A clean stop, which takes no time. False where it did not come to its end.
  bool finish();
  // The process dies; or the power goes, and what is on the disk when it comes back is as
  // `survival` says.
  void kill();
  void cut_power(Survival survival);
  void reboot(Millis off);
  // Some systems do not tell their boots apart.
  void hide_boots() { tells_boots_ = false; }
  bool tells_boots() const { return tells_boots_; }

  // What the database holds of it while the service runs.
  std::vector<HoldOff> hold_offs();
  std::vector<Gone> gone();

 private:
  struct Running;
  void tear_down();
  bool poll();
  std::string boot_name() const;

  Random random_;
  Scheduler scheduler_;
  Vfs vfs_;
  int boot_ = 1;
  bool tells_boots_ = true;
  std::unique_ptr<Running> running_;
};

}  // namespace concur::simulation
