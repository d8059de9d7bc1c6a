#pragma once

#include "base/result.hpp"

#include <chrono>
#include <string>

namespace concur::engine {

// As whom servers know us; without a password nobody is named.
struct Login {
  std::string user;  // "default" where it is empty
  std::string password;
};

// What a file has in its only line. What comes through a pipe may take `patience`. kInvalid where
// it cannot be read, is none, or could be read or written by others: `cannot read the fleet's
// password from <path>: <cause>`.
Result<std::string> read_password(const std::string& path, std::chrono::milliseconds patience);

}  // namespace concur::engine
