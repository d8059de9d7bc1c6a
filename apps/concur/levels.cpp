#include "levels.hpp"

#include "answer_values.hpp"
#include "base/text.hpp"

#include <charconv>
#include <cstddef>
#include <map>
#include <string_view>
#include <utility>

namespace concur::cli {

namespace {

namespace json = boost::json;

// Levels above are counted together: a user without a limit may have had thousands at once.
constexpr std::size_t kMaxLevels = 16;

using Levels = std::map<std::uint64_t, Level>;  // by how many streams at once

void read_levels(const json::object& histogram, std::string_view name, std::uint64_t Level::*figure,
                 Levels& levels) {
  const auto* counts = object_of(histogram, name);
  if (counts == nullptr) return;
  for (const auto& [key, value] : *counts) {
    std::uint64_t level = 0;
    const auto [rest, failed] = std::from_chars(key.data(), key.data() + key.size(), level);
    if (failed != std::errc() || rest != key.data() + key.size()) continue;
    levels[level].*figure += count_of(*counts, key);
  }
}

}  // namespace

std::vector<Level> levels_of(const json::object& histogram) {
  Levels by_streams;
  read_levels(histogram, "peak", &Level::reached, by_streams);
  read_levels(histogram, "attempted", &Level::attempted, by_streams);
  std::vector<Level> levels;
  for (auto& [streams, level] : by_streams) {
    if (levels.size() < kMaxLevels) {
      level.name = text::format("{}", streams);
      levels.push_back(std::move(level));
      continue;
    }
    Level& last = levels.back();
    last.reached += level.reached;
    last.attempted += level.attempted;
    if (!last.name.ends_with('+')) last.name += '+';
  }
  return levels;
}

}  // namespace concur::cli
