#pragma once

#include "store/store.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

// What tests of a store begin with.
namespace concur::test {

inline Store open_store(const std::string& path, const std::string& boot = "boot-1") {
  auto store = Store::open(path, Durability::kFull, boot);
  if (!store) FAIL(store.error().message);
  return std::move(*store);
}

inline std::vector<Row> load(Store& store, const Now& now) {
  std::vector<Row> rows;
  const auto report = store.load(now, [&](StoredRow row) {
    rows.push_back(std::move(std::get<Row>(row)));
    return true;
  });
  REQUIRE(report.has_value());
  return rows;
}

inline Insert insert(std::int64_t number, const std::string& session, Instant now) {
  return {{number, "abc", session, now, now, now + std::chrono::seconds(90),
           std::chrono::seconds(90), nullptr}};
}

inline std::vector<Change> one(Change change) {
  std::vector<Change> changes;
  changes.push_back(std::move(change));
  return changes;
}

inline void run_sql(const std::string& path, const std::string& sql) {
  auto db = Sqlite::open(path);
  REQUIRE(db.has_value());
  const auto done = db->exec(sql);
  if (!done) FAIL(done.error().message);
}

}  // namespace concur::test
