#pragma once

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/progress.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace concur {

// How far one piece of work is: reported by the thread that does it, read by another.
class LongWork {
 public:
  void report(std::uint64_t done, std::uint64_t total) {
    done_.store(done, std::memory_order_relaxed);
    total_.store(total, std::memory_order_relaxed);
  }
  std::uint64_t done() const { return done_.load(std::memory_order_relaxed); }
  std::uint64_t total() const { return total_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> done_ = 0;
  std::atomic<std::uint64_t> total_ = 0;
};

// The work that takes long and is under way, or waits for its turn, for whoever asks. For one
// thread, but for what LongWork allows.
class WorkBoard {
 public:
  static constexpr Millis kLogEvery = std::chrono::seconds(10);

  // It is listed for as long as somebody holds what this returns. Both texts are of static storage;
  // they are those of WorkState.
  std::shared_ptr<LongWork> add(std::string_view what, std::string_view unit, Instant now);

  // The oldest first.
  std::vector<WorkState> list() const;

  // To be called now and then: logs how far each is that takes long, every ten seconds.
  void log_long(Logger& log, Instant now);

 private:
  struct Entry {
    std::string_view what;
    std::string_view unit;
    Instant began;
    Instant due;
    std::weak_ptr<LongWork> work;
  };

  std::vector<Entry> entries_;
};

}  // namespace concur
