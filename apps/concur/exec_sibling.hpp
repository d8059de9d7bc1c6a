#pragma once

#include "base/result.hpp"

#include <string>
#include <vector>

namespace concur::cli {

// Replaces this process by the program at `path`, relative to this executable's own folder, so that
// nothing in the environment decides what is run. `words` are its arguments, its name the first.
// Returns only if that fails: kAbsent.
Error exec_sibling(const char* path, std::vector<std::string> words);

}  // namespace concur::cli
