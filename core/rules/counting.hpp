#pragma once

#include "rules/attribute.hpp"
#include "rules/rule.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace concur {

// What rules count for one start of one user: pure, over that user's active sessions.

// A rule with the number that holds for the user; kUnlimited: it binds nobody.
struct RuleInForce {
  const Rule* rule;
  std::uint32_t max = 0;
};

// The plain limit as a rule. Of one that counts different values, a session without any counts by
// itself, as if it had a value of its own.
const Rule& plain_limit_rule(std::optional<Attribute::Kind> counts);

// One of the user's active sessions, beside what starts.
struct Other {
  Attributes attributes;
  bool leaves = false;           // and counts no more
  bool gives_its_place = false;  // leaves, and what starts takes its place
};

// Whether the rule is about what starts: it meets the terms and has what the rule asks for.
bool applies(const Rule& rule, const Attributes& start);
// Whether that differs from what was before, or what is counted together, or the value that counts.
bool applies_anew(const Rule& rule, const Attributes& before, const Attributes& after);

// What a rule counts: places in the list of the others.
struct Counted {
  std::vector<std::uint32_t> others{};  // in order
  std::vector<std::uint32_t>
      values{};              // of each: the number of its value; where values are counted
  std::uint32_t count = 0;   // how many there are, sessions or values, without what starts
  std::uint32_t excess = 0;  // how many of these must go for it; 0: the rule holds

  bool operator==(const Counted&) const = default;
};

// The excess of a rule that forbids: whoever goes, there is no room.
inline constexpr std::uint32_t kNeverRoom = 0xFFFF'FFFF;

// Of a rule that applies.
Counted count(const RuleInForce& in_force, const Attributes& start, std::span<const Other> others);

// Of a rule that applies: the attributes by which sessions are counted together, and what starts
// has there.
std::vector<std::pair<std::string, std::string>> counted_together(const Rule& rule,
                                                                  const Attributes& start);

}  // namespace concur
