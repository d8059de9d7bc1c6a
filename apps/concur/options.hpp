#pragma once

#include "base/result.hpp"
#include "command.hpp"

#include <string>
#include <variant>
#include <vector>

namespace concur::cli {

struct Options {
  std::vector<std::string> sockets;  // where the daemon may be, in the order to try
  Millis timeout{5000};
  Command command;
};

// What --help or --version asks to be printed.
struct Text {
  std::string text;
};

// Reads the command line, without the program's name, and what of the environment stands in for
// --socket. kInvalid, with a whole message, where it cannot be understood.
Result<std::variant<Options, Text>> parse_options(std::vector<std::string> args);

}  // namespace concur::cli
