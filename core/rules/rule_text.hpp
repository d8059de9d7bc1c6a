#pragma once

#include "base/result.hpp"
#include "rules/rule.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace concur {

// Reads what stands behind `rule NAME =`:
//
//   max N sessions       [per ATTR[,ATTR]…] [where TERM [and TERM]…] [on-limit WHAT]
//   max N distinct ATTR  [per …] [where …] [on-limit WHAT]
//   forbid               [where …]
//
// TERM is ATTR=V[,V]… or ATTR!=V[,V]…; a V that ends in * means all that begin so. What has spaces
// or signs in it stands in double quotes, where \ makes the next sign an ordinary one. kInvalid,
// with what was expected and where, for anything else; N is at least 1.
Result<Rule> parse_rule(std::string_view name, std::string_view text);

// The same in one form: parse_rule() of it is the same rule.
std::string to_text(const Rule& rule);

// What it says, as a sentence: "at most 1 session where type is tv or console; …".
std::string sentence_of(const Rule& rule);

// The value of the setting `limit`: N, N sessions, or N distinct device|network|content.
struct LimitText {
  std::uint32_t limit = 0;
  std::optional<Attribute::Kind> counts{};
};
Result<LimitText> parse_limit(std::string_view text);
std::string to_text(const LimitText& limit);

}  // namespace concur
