#pragma once

#include "base/clock.hpp"
#include "session/int48.hpp"
#include "session/session.hpp"
#include "store/sqlite.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace concur {

// Beyond it a row is refused. The registry has room for as many ids again: at 64,000 starts a
// second either half lasts 34 years.
inline constexpr std::int64_t kLastRow = 1LL << 46;
static_assert(2 * kLastRow <= Int48::kMax + 1);

// A row as it stands in the database, hostile until checked.
struct ReadRow {
  StoredRow row;
  std::string refusal;  // why it cannot be used; empty where it can
};

// One table's rows: how to ask for them, and what stands in each. `boot` is this boot's number: the
// times of rows written in it are exact, others go by the wall clock.
struct RowSource {
  const char* name;
  const char* sql;
  ReadRow (*read)(const Statement& from, const Now& now, std::int64_t boot);
};

// As it stands in the database: evicted, purged, ended. No other reason does.
std::string_view stored_word_of(EndReason reason);

// In the order in which they must be taken in: what others name comes first.
inline constexpr std::size_t kRowSources = 6;
const RowSource (&row_sources())[kRowSources];

}  // namespace concur
