#pragma once

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace concur::fuzz {

// What must hold for any input. Ends the program where it does not, so that the fuzzer keeps the
// input.
inline void claim(bool holds, std::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

}  // namespace concur::fuzz
