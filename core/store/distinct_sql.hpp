#pragma once

#include "base/result.hpp"
#include "store/sqlite.hpp"

namespace concur {

// Teaches a connection two functions on DistinctCount's bytes; NULL and what is malformed count as
// none:
//   merge_distinct(a, b)   the union, NULL where both are empty
//   count_distinct(a)      an aggregate: how many there are in the union of all
Result<void> add_distinct_functions(Sqlite& db);

}  // namespace concur
