#pragma once

#include <cstdint>

namespace concur {

// What the system reports of this process; 0 where it does not.
struct ProcessFigures {
  std::uint64_t open_files = 0;
  std::uint64_t open_files_limit = 0;
  std::uint64_t resident_bytes = 0;
};

ProcessFigures process_figures();

}  // namespace concur
