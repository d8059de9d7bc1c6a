#pragma once

#include "api/request_body.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace concur {

enum class BatchCommand { kStart, kHeartbeat, kEnd };

// One command of a batch. The names are not checked; one that is missing is empty.
struct BatchLine {
  BatchCommand command{};
  std::string user;
  std::string session;
  // Where it has more than the names: of a start's fields those that its command takes.
  std::optional<StartBody> body;
};

// What cannot be read at all is reported as `cannot read line <number>: <cause>`. `into` is
// overwritten, and its texts keep their room for the next line.
Result<void> parse_batch_line(std::string_view line, std::uint64_t number, BatchLine& into);

}  // namespace concur
