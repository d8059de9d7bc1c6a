#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace concur::cli {

// One page of a list, cut into parts that keep the daemon's bytes. The parts point into the text
// that was read.
struct Page {
  std::vector<std::string_view> members;   // `"key":value` of all but sessions and next
  std::vector<std::string_view> sessions;  // one JSON object each
  std::string_view user;  // the value of the member user; empty where there is none
  std::string next;       // names the following page; empty on the last
};

// kCorrupt where the text is no JSON object with an array `sessions` of objects.
Result<Page> read_page(std::string_view text);

}  // namespace concur::cli
