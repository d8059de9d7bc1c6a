#pragma once

#include "base/result.hpp"

#include <functional>

namespace concur::cli {

// Before a process asks anything: a reader of its output that is gone is an error of the write and
// no signal, and no socket gets the number of a standard stream that was closed.
void prepare_output();

// The exit status of a process that does `work`. Its error, or an exception, is printed to standard
// error, and has the exit status that the manual names for it.
int guarded(const std::function<Result<int>()>& work);

}  // namespace concur::cli
