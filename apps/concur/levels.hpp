#pragma once

#include <boost/json.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace concur::cli {

// How many users reached, and tried, so many streams at once.
struct Level {
  std::string name;  // a number; the last one ends in '+' where all above are counted with it
  std::uint64_t reached = 0;
  std::uint64_t attempted = 0;
};

// Of a report's histogram, the lowest first, few enough to be shown.
std::vector<Level> levels_of(const boost::json::object& histogram);

}  // namespace concur::cli
