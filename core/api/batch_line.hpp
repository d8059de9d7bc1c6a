#pragma once

#include "api/request_body.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace concur {

enum class BatchCommand { kStart, kHeartbeat, kEnd, kLimit, kPlan, kBlock, kUnblock };

constexpr bool is_for_operators(BatchCommand command) { return command >= BatchCommand::kLimit; }

// One command of a batch. The names are not checked; one that is missing is empty.
struct BatchLine {
  BatchCommand command{};
  std::string user;
  std::string session;
  // Where it has more than the names: of a start's fields those that its command takes.
  std::optional<StartBody> body;
  std::string message{};  // of an end
  // Of what is for operators, by its command.
  std::string plan{};  // the one that is set
  RuleBody rule{};
  BlockBody block{};
};

// What cannot be read at all is reported as `cannot read line <number>: <cause>`. `into` is
// overwritten, and its texts keep their room for the next line.
Result<void> parse_batch_line(std::string_view line, std::uint64_t number, BatchLine& into);

}  // namespace concur
