#pragma once

#include "base/result.hpp"

#include <string>
#include <vector>

namespace concur::cli {

// Becomes the program that stands at `path` from the folder of this very one, so that nothing of
// the environment chooses what is run. `words` are its arguments, its name the first. Returns only
// where that fails: kAbsent.
Error exec_beside(const char* path, std::vector<std::string> words);

}  // namespace concur::cli
