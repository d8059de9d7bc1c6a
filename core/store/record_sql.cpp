#include "store/record_sql.hpp"

#include "session/distinct_count.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <new>
#include <utility>

namespace concur {

namespace {

DistinctCount read(sqlite3_value* value) {
  const auto* bytes = static_cast<const char*>(sqlite3_value_blob(value));
  if (bytes == nullptr) return {};
  const auto size = static_cast<std::size_t>(sqlite3_value_bytes(value));
  return DistinctCount::parse({bytes, size}).value_or(DistinctCount());
}

// No exception may pass through SQLite's frames; the only one that can be is that memory is out.
template <class Work>
void guarded(sqlite3_context* context, const Work& work) noexcept {
  try {
    work();
  } catch (...) {
    sqlite3_result_error_nomem(context);
  }
}

void merge(sqlite3_context* context, sqlite3_value** values) {
  DistinctCount both = read(values[0]);
  both.merge(read(values[1]));
  if (both.empty()) return sqlite3_result_null(context);
  const std::string bytes = both.bytes();
  sqlite3_result_blob(context, bytes.data(), static_cast<int>(bytes.size()), SQLITE_TRANSIENT);
}

void merge_distinct(sqlite3_context* context, int /*count*/, sqlite3_value** values) {
  guarded(context, [&] { merge(context, values); });
}

// SQLite keeps a zeroed word for each group: a pointer to what is gathered of it.
template <class Gathered>
Gathered*& word_of(sqlite3_context* context) {
  void* word = sqlite3_aggregate_context(context, static_cast<int>(sizeof(void*)));
  if (word == nullptr) throw std::bad_alloc();
  return *static_cast<Gathered**>(word);
}

template <class Gathered>
Gathered& gathered_of(sqlite3_context* context) {
  Gathered*& word = word_of<Gathered>(context);
  if (word == nullptr) word = new Gathered();
  return *word;
}

template <class Gathered>
std::unique_ptr<Gathered> take_gathered(sqlite3_context* context) {
  return std::unique_ptr<Gathered>(std::exchange(word_of<Gathered>(context), nullptr));
}

void count_step(sqlite3_context* context, int /*count*/, sqlite3_value** values) {
  guarded(context, [&] { gathered_of<DistinctCount>(context).merge(read(values[0])); });
}

void count_end(sqlite3_context* context) {
  guarded(context, [&] {
    const auto count = take_gathered<DistinctCount>(context);
    sqlite3_result_int64(context,
                         count == nullptr ? 0 : static_cast<sqlite3_int64>(count->estimate()));
  });
}

// The most that was recorded of each hour.
using Hours = std::map<std::int64_t, std::int64_t>;

void sum_step(sqlite3_context* context, int /*count*/, sqlite3_value** values) {
  guarded(context, [&] {
    std::int64_t& most = gathered_of<Hours>(context)[sqlite3_value_int64(values[0])];
    most = std::clamp<std::int64_t>(sqlite3_value_int64(values[1]), most, UINT32_MAX);
  });
}

void sum_end(sqlite3_context* context) {
  guarded(context, [&] {
    std::int64_t sum = 0;
    if (const auto hours = take_gathered<Hours>(context)) {
      for (const auto& [hour, most] : *hours) sum += most;
    }
    sqlite3_result_int64(context, sum);
  });
}

}  // namespace

Result<void> add_record_functions(Sqlite& db) {
  constexpr int kFlags = SQLITE_UTF8 | SQLITE_DETERMINISTIC;
  const bool added =
      sqlite3_create_function_v2(db.handle(), "merge_distinct", 2, kFlags, nullptr, merge_distinct,
                                 nullptr, nullptr, nullptr) == SQLITE_OK &&
      sqlite3_create_function_v2(db.handle(), "count_distinct", 1, kFlags, nullptr, nullptr,
                                 count_step, count_end, nullptr) == SQLITE_OK &&
      sqlite3_create_function_v2(db.handle(), "sum_of_hours", 2, kFlags, nullptr, nullptr, sum_step,
                                 sum_end, nullptr) == SQLITE_OK;
  if (added) return {};
  return Error{ErrorKind::kInternal, "its functions cannot be set up"};
}

}  // namespace concur
