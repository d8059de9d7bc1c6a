#pragma once

#include "random.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace concur::simulation {

using Bytes = std::vector<std::byte>;

enum class Operation : std::uint8_t { kOpen, kRead, kWrite, kTruncate, kSync, kDelete, kSize };
inline constexpr std::size_t kOperations = 7;

// What an operation came to. A full disk and an error may leave a part of a write behind.
enum class Outcome : std::uint8_t { kDone, kError, kFull, kAbsent };

// What of the writes that were not synced is there after the power came back.
enum class Survival : std::uint8_t {
  kNothing,
  kEverything,
  kPrefix,   // of each file's writes the first ones, the last of them torn
  kPages,    // any of the writes, each whole
  kSectors,  // any of the 512 bytes of any of the writes
  kInOrder,  // of all files' writes together the first ones
};
inline constexpr std::size_t kSurvivals = 6;
const char* word_of(Survival survival);

// What goes wrong next.
struct Fault {
  std::uint64_t after = 0;  // so many operations of the kinds named go well before it
  std::uint64_t times = 1;  // how many then fail, one after the other
  Outcome outcome = Outcome::kError;
  std::uint8_t kinds = 0xFF;  // one bit for each Operation
  bool torn = false;          // a write that fails leaves a part behind
  bool forgets = false;  // a sync that fails loses what it should have kept: the next one succeeds
                         // without it (fsync(2), Linux since 4.13)
};

constexpr std::uint8_t bit_of(Operation operation) {
  return static_cast<std::uint8_t>(1U << static_cast<unsigned>(operation));
}

// A disk in memory: each file has what is durable, and on top of it what was written since and not
// synced. Power cuts and errors happen when they are told to. For any thread; `gate` is called at
// the beginning of each operation that changes anything, outside all locks.
class Disk {
 public:
  struct File;
  using Handle = std::shared_ptr<File>;

  explicit Disk(std::uint64_t seed) : random_(seed) {}
  void set_gate(std::function<void()> gate) { gate_ = std::move(gate); }

  // An empty name is a file without one, gone with its handle. Null, and the outcome, where it
  // cannot be opened.
  Handle open(const std::string& name, bool create, Outcome& outcome);
  // `read` is how much there was; the rest of `into` is zero.
  Outcome read(const Handle& file, std::uint64_t offset, std::span<std::byte> into,
               std::size_t& read);
  Outcome write(const Handle& file, std::uint64_t offset, std::span<const std::byte> from);
  Outcome truncate(const Handle& file, std::uint64_t size);
  // Makes durable what was written to the file before this began.
  Outcome sync(const Handle& file);
  Outcome remove(const std::string& name, bool durably);
  Outcome size(const Handle& file, std::uint64_t& size);
  bool exists(const std::string& name);

  void break_with(const Fault& fault);
  void mend();
  // The power goes at the operation after so many others; from then on nothing works.
  void cut_after(std::uint64_t operations);
  // Now: the process dies, or the power goes.
  void stop();
  bool is_dead();
  bool was_hit();  // by a fault, since it was last mended

  // A disk that lies: syncs succeed and keep nothing.
  void set_lying(bool lies);

  // The process died, and no more: whatever was written is there. Faults are mended.
  void restart();
  // The power was away.
  void restart(Survival survival);
  // There is another in its place, a new one.
  void replace();

  std::uint64_t operations();
  const std::array<std::uint64_t, kOperations>& injected() const { return injected_; }
  std::uint64_t random();

 private:
  struct Pending {
    std::uint64_t sequence = 0;
    std::uint64_t offset = 0;  // of a truncation: the new size
    Bytes bytes;
    bool truncates = false;
  };

  enum class Verdict : std::uint8_t { kGo, kFail, kDies, kDead };
  Verdict judge(Operation operation, Fault& fault);
  void pass_gate(Operation operation);
  static void apply(Bytes& to, const Pending& pending);
  void apply_torn(Bytes& to, const Pending& pending);
  void settle(File& file, Survival survival);
  void lose_power(Survival survival);
  void lose_the_last();
  void put(File& file, Pending pending);

  std::mutex mutex_;
  std::function<void()> gate_;
  Random random_;
  std::map<std::string, Handle> files_;
  std::map<std::string, Handle> removed_;  // whose going is not durable
  std::uint64_t operations_ = 0;
  std::uint64_t sequence_ = 0;
  std::optional<Fault> fault_;
  std::optional<std::uint64_t> cut_at_;
  bool dead_ = false;
  bool hit_ = false;
  bool lies_ = false;
  std::array<std::uint64_t, kOperations> injected_{};
};

}  // namespace concur::simulation
