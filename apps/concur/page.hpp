#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace concur::cli {

// One page of a list, cut into parts that keep the daemon's bytes. The parts point into the text
// that was read.
struct Page {
  std::vector<std::string_view> members;  // `"key":value` of all but the array and next
  std::vector<std::string_view> entries;  // of the array: one JSON object each
  std::string_view user;                  // the value of the member user; empty where there is none
  std::string next;                       // names the following page; empty on the last
};

// Nothing where the text is no JSON object with such an array of objects.
std::optional<Page> read_page(std::string_view text, std::string_view array);

// The bytes of a member's value in a JSON object; empty where there is none, or no object.
std::string_view member_of(std::string_view object, std::string_view key);

}  // namespace concur::cli
