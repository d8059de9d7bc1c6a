#pragma once

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/log_throttle.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <unordered_set>

namespace concur {

// Memory held for clients: requests that arrived and answers that are not sent. Over the ceiling
// the largest holder is evicted, which closes its connection, until the rest fits (as Redis evicts
// clients, maxmemory-clients). For the loop thread alone.
class ClientMemory {
 public:
  // More than all connections together keep that have nothing under way.
  static constexpr std::size_t kMax = std::size_t{256} * 1024 * 1024;

  // What one holder holds.
  class Share {
   public:
    // Frees what is held, and says whose it was ("uid 1000, pid 42"). Called from within any
    // share's set(), at most once.
    using Evict = std::function<std::string()>;

    // The memory must outlive the share.
    Share(ClientMemory& memory, Evict evict);
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;
    ~Share();

    // It is so many bytes now; nothing is counted any more where it was evicted.
    void set(std::size_t bytes) {
      if (evicted_) return;
      memory_.total_ += bytes - bytes_;
      bytes_ = bytes;
      if (memory_.total_ > memory_.max_) memory_.make_room();
    }

   private:
    friend class ClientMemory;

    ClientMemory& memory_;
    Evict evict_;
    std::size_t bytes_ = 0;
    bool evicted_ = false;
  };

  // Clock and log must outlive it.
  ClientMemory(const Clock& clock, Logger& log, std::size_t max = kMax)
      : clock_(clock), log_(log), max_(max) {}
  ClientMemory(const ClientMemory&) = delete;
  ClientMemory& operator=(const ClientMemory&) = delete;

  std::size_t total() const { return total_; }

 private:
  void make_room();
  void report(std::size_t bytes, const std::string& whose);

  const Clock& clock_;
  Logger& log_;
  std::size_t max_;
  std::size_t total_ = 0;
  std::unordered_set<Share*> shares_;
  LogThrottle reports_;
};

// Clears a text and gives its room back, which no assignment does.
inline void give_back(std::string& text) { std::string().swap(text); }

}  // namespace concur
