#pragma once

#include "base/result.hpp"

#include <sys/stat.h>

#include <chrono>
#include <cstddef>
#include <string>

namespace concur {

struct TextFile {
  std::string text;
  // It can be read again. What comes through a pipe, or from a terminal, cannot.
  bool is_regular = true;
};

// What makes an open file one that is not to be read; empty where nothing does.
using FileFault = std::string (*)(const struct stat& info);

// Reads a file to its end. Where it is no regular one it may take `patience`, all in all, until
// that came: a FIFO that nobody writes to holds nobody up for longer. kAbsent, kForbidden or
// kInvalid where it cannot be read, is too large or has a fault; the message is the cause alone.
Result<TextFile> read_text_file(const std::string& path, std::size_t max_bytes,
                                std::chrono::milliseconds patience, FileFault fault = nullptr);

// What makes a file one that is not to be taken for a secret: others could read it, or write it.
std::string fault_of_secret(const struct stat& info);

// How long a start waits for what comes through a pipe.
inline constexpr std::chrono::seconds kPipePatience{10};

}  // namespace concur
