#pragma once

#include "base/result.hpp"
#include "base/text_file.hpp"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace concur {

struct ConfigLine {
  std::string key;
  std::string value;
  int number = 0;  // from 1
};

// Reads `key = value` lines; blank ones and those that start with # say nothing. Spaces around key
// and value do not count; a value may stand in double quotes to keep its own. kInvalid for any
// other line, naming it as `<name> line <n>`.
Result<std::vector<ConfigLine>> parse_config(std::string_view name, std::string_view text);

// Reads a file of at most 64 KiB. kAbsent, kForbidden or kInvalid where it cannot be read.
// `patience` is for a pipe, see read_text_file().
Result<TextFile> read_config_file(const std::string& path, std::chrono::milliseconds patience);

}  // namespace concur
