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

// Opens standard input, output and error where they are closed, to nothing: else the next file that
// is opened has one of their numbers, and the log is written to it. Before anything is opened.
void open_standard_streams();

}  // namespace concur
