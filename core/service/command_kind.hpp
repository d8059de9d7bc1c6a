#pragma once

#include "session/command.hpp"

#include <cstddef>
#include <cstdint>
#include <variant>

namespace concur {

// Commands as they are counted and bounded.
enum class CommandKind : std::uint8_t { kStart, kHeartbeat, kEnd, kOther };
inline constexpr std::size_t kCommandKinds = 4;

inline CommandKind kind_of(const Command& command) {
  if (std::holds_alternative<Heartbeat>(command)) return CommandKind::kHeartbeat;
  if (std::holds_alternative<Start>(command)) return CommandKind::kStart;
  if (std::holds_alternative<End>(command)) return CommandKind::kEnd;
  return CommandKind::kOther;
}

}  // namespace concur
