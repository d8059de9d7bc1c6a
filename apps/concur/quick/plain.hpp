#pragma once

#include "command.hpp"

#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace concur::cli {

// What players' scripts fork for each stream.
struct Plain {
  std::vector<std::string> sockets;  // where the daemon may be, in the order to try
  Millis timeout{};
  std::variant<Start, Heartbeat, End> command;
};

// Reads a command line, without the program's name, that needs no command-line library: one of
// these commands, both of its names, and options each given once with a value that can only be
// meant as it stands. Means the same as parse_options() (options.hpp), or is nothing: the line may
// still be one that parse_options() understands, or has a message for.
std::optional<Plain> read_plain(std::span<char* const> args);

}  // namespace concur::cli
