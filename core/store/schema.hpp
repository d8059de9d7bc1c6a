#pragma once

#include "base/progress.hpp"
#include "store/sqlite.hpp"

#include <cstdint>
#include <string_view>

namespace concur {

// Marks a database as ours (PRAGMA application_id): "cncr".
inline constexpr std::int64_t kApplicationId = 0x636E'6372;

// The newest schema this program knows (PRAGMA user_version); each migration raises it by one.
std::int64_t newest_schema();

// The version of the schema it has, 0 for a new file; writes nothing. kCorrupt where its header or
// a table of its schema is damaged; kInvalid where it is another program's, or newer than this one.
Result<std::int64_t> check_schema(Sqlite& db);

// Looks at all pages and rows; writes nothing. kCorrupt where it is damaged, kUnavailable where it
// cannot be read.
Result<void> check_pages(Sqlite& db);
inline constexpr std::string_view kCheckingPages = "checking the database";  // as work
// The same where its connection has read so many pages, of so many that there are: it reads each
// twice, as part of its tree and then for its rows. Never all of it, for it has not returned yet.
WorkState checking_pages(std::uint64_t read, std::uint64_t pages);

// Brings the database to the newest schema, a new file from nothing, each step in one transaction.
// Before anything is written it is checked: kCorrupt, and the file untouched, where it is damaged;
// kInvalid, and untouched too, where it is another program's, or newer than this one. `work`, if
// any, says which part of that is under way; while it is kCheckingPages, how far that is is seen by
// what the connection has read since.
Result<void> migrate(Sqlite& db, WorkState* work = nullptr);

}  // namespace concur
