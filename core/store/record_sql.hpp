#pragma once

#include "base/result.hpp"
#include "store/sqlite.hpp"

namespace concur {

// Teaches a connection what SQLite cannot do with the record of who shares:
//   merge_distinct(a, b)     of DistinctCount's bytes: the union, NULL where both are empty
//   count_distinct(a)        an aggregate of them: how many there are in the union of all
//   sum_of_hours(hour, n)    an aggregate: the most of each hour, added up
// NULL and what is malformed count as none, a number beyond 32 bits as the next within them.
Result<void> add_record_functions(Sqlite& db);

}  // namespace concur
