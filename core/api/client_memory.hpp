#pragma once

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/log_throttle.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <unordered_set>

namespace concur {

// What clients make the daemon hold at one time, all together: requests that have arrived and
// answers that are not taken yet. Where that would be more than there may be, whoever holds most
// loses it, and then its connection, until the rest fits (as Redis evicts clients,
// maxmemory-clients). For the loop thread alone.
class ClientMemory {
 public:
  // More than all connections together keep that have nothing under way.
  static constexpr std::size_t kMost = std::size_t{256} * 1024 * 1024;

  // What one holds.
  class Part {
   public:
    // Lets go of what is held, and says whose it was ("uid 1000, pid 42"). Called from within any
    // part's set(), at most once.
    using LetGo = std::function<std::string()>;

    // The memory must outlive the part.
    Part(ClientMemory& memory, LetGo let_go);
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;
    ~Part();

    // It is so many bytes now; nothing is counted any more where it was let go of.
    void set(std::size_t bytes) {
      if (gone_) return;
      memory_.total_ += bytes - bytes_;
      bytes_ = bytes;
      if (memory_.total_ > memory_.most_) memory_.make_room();
    }

   private:
    friend class ClientMemory;

    ClientMemory& memory_;
    LetGo let_go_;
    std::size_t bytes_ = 0;
    bool gone_ = false;
  };

  // Clock and log must outlive it.
  ClientMemory(const Clock& clock, Logger& log, std::size_t most = kMost)
      : clock_(clock), log_(log), most_(most) {}
  ClientMemory(const ClientMemory&) = delete;
  ClientMemory& operator=(const ClientMemory&) = delete;

  std::size_t total() const { return total_; }

 private:
  void make_room();
  void tell(std::size_t bytes, const std::string& whose);

  const Clock& clock_;
  Logger& log_;
  std::size_t most_;
  std::size_t total_ = 0;
  std::unordered_set<Part*> parts_;
  LogThrottle evictions_;
};

// Clears a text and gives its room back, which no assignment does.
inline void give_back(std::string& text) { std::string().swap(text); }

}  // namespace concur
