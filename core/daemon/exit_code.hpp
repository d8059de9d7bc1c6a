#pragma once

#include "base/result.hpp"

#include <stdexcept>
#include <string>
#include <utility>

namespace concur {

// What concurrencyd exits with; part of its contract, see concurrencyd(8).
enum class ExitCode {
  kClean = 0,
  kInternal = 1,
  kUsage = 2,            // flags, environment or config file
  kAlreadyRunning = 11,  // on this socket or database
  kDatabase = 12,        // cannot be opened, is damaged or newer
  kSocket = 13,          // cannot be bound
};

// Ends the start-up; caught once, in main. The message reads `cannot <verb> <object>: <cause>`.
struct StartupError : std::runtime_error {
  StartupError(ExitCode with, const std::string& message)
      : std::runtime_error(message), code(with) {}
  ExitCode code;
};

// What came out well; StartupError (`code`) otherwise.
template <class T>
T must(Result<T> result, ExitCode code) {
  if (!result) throw StartupError(code, result.error().message);
  return std::move(*result);
}

}  // namespace concur
