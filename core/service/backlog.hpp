#pragma once

#include "service/command_kind.hpp"
#include "session/answer.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace concur {

// Answers that wait for something slow, such as a disk, and bounds on them, beyond which a command
// is refused at once.
class Backlog {
 public:
  // Starts that are let in are answered within two seconds where 40,000 a second become durable,
  // and six whole batches fit. Ends, which make room, and all else are let in for as long again.
  static constexpr std::size_t kMaxStarts = 65'536;
  static constexpr std::size_t kMaxAnswers = 2 * kMaxStarts;
  // Of sessions that those answers list, denials among them: beyond it none that may list any is
  // let in.
  static constexpr std::size_t kMaxBytes = std::size_t{64} << 20;

  // What they wait for, as in "wait for the disk". Of static storage.
  explicit Backlog(std::string_view waits_for) : waits_for_(waits_for) {}

  bool admits(CommandKind kind) const { return answers_ < most_of(kind) && !has_too_long(kind); }
  // Why it does not.
  std::string refusal(CommandKind kind) const;

  // What an answer counts for, beside being one.
  static std::size_t bytes_of(const Answer& answer);

  void add(std::size_t bytes) {
    ++answers_;
    bytes_ += bytes;
  }
  void remove(std::size_t bytes) {
    --answers_;
    bytes_ -= bytes;
  }

 private:
  static std::size_t most_of(CommandKind kind) {
    return kind == CommandKind::kStart ? kMaxStarts : kMaxAnswers;
  }
  bool has_too_long(CommandKind kind) const {
    return bytes_ >= kMaxBytes && (kind == CommandKind::kStart || kind == CommandKind::kOther);
  }

  std::string_view waits_for_;
  std::size_t answers_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace concur
