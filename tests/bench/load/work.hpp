#pragma once

#include "load/dialect.hpp"
#include "load/random.hpp"

#include <cstdint>
#include <vector>

namespace concur::bench {

enum class WorkKind : std::uint8_t {
  fill,       // starts, the users in turn: as even as it can be
  start,      // starts of random users
  heartbeat,  // heartbeats of random active sessions
  denial,     // starts of users that are at their limit
  mixed,      // 60 heartbeats to one start to one end
  churn,      // random sessions end, and their users start others
};

struct Request {
  Operation operation;
  std::uint32_t user;
  std::uint64_t serial;
  /// Where the mixed work keeps the session.
  std::uint32_t slot = 0;
};

struct WorkSize {
  std::uint32_t users;
  /// The names of the users begin with this number.
  std::uint32_t first_user;
  /// Sessions that exist when the work begins: those of `fill` with serials below it.
  std::uint64_t prepared;
  std::uint64_t seed;
};

/// Decides what is asked next and which answers are right. Knows no bytes and no sockets.
class Work {
 public:
  Work(WorkKind kind, const WorkSize& size);

  Request next();

  /// Takes the status that answered `request`; false if that is not an answer to expect.
  bool answered(const Request& request, int status);

 private:
  enum class State : std::uint8_t { free, starting, active, ending };

  struct Slot {
    std::uint64_t serial;
    std::uint32_t user;
    // Heartbeats under way. One sent before an end may be read after it on another connection, so
    // a session is not ended before they are answered.
    std::uint16_t heartbeats;
    State state;
  };

  [[nodiscard]] std::uint32_t user_in_turn(std::uint64_t serial) const;
  std::uint32_t random_user() { return size_.first_user + random_.below(size_.users); }
  Request next_mixed();
  Request next_churn();
  Request end_in_slot(std::uint32_t at);
  Request start_in_slot();
  std::uint32_t random_active_slot(bool idle);
  void answered_in_slot(const Request& request, int status);
  void release(std::uint32_t slot);

  WorkKind kind_;
  WorkSize size_;
  std::uint64_t stride_;
  Random random_;
  std::uint64_t next_serial_;
  std::uint32_t turn_ = 0;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
};

}  // namespace concur::bench
