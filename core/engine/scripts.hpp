#pragma once

#include "engine/change.hpp"
#include "engine/reply.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace concur::engine {

// What the engine runs for us. They know fields and bytes, and nothing of what these mean.
enum class Script {
  kChange,             // refused where the engine's memory is full
  kChangeDespiteFull,  // the same, and not refused
  kRead,
  kReadAsPrimary,  // the same, and refused by a replica: without cluster mode nothing else tells
};
inline constexpr std::size_t kScripts = 4;
inline constexpr std::array<Script, kScripts> kAllScripts{
    Script::kChange, Script::kChangeDespiteFull, Script::kRead, Script::kReadAsPrimary};

std::string_view source_of(Script script);

// The arguments behind the key.
std::vector<std::string> arguments_of(const Change& change);

// What the scripts answer; none where the reply is none of theirs. Of a change the result is
// kApplied, kGuarded or kLate.
std::optional<ChangeOutcome> parse_change(Reply& reply);
std::optional<ReadOutcome> parse_read(Reply& reply);

}  // namespace concur::engine
