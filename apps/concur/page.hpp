#pragma once

#include <boost/json.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace concur::cli {

// One page of a list.
struct Page {
  boost::json::object members;  // all but the list and next
  boost::json::array entries;   // objects
  std::string next;             // names the following page; empty on the last
};

// `list` is the member that has the entries. Nothing where the text is no JSON object with such a
// list of objects.
std::optional<Page> read_page(std::string_view text, std::string_view list);

// The pages of one list, written as they come: in the end the bytes that the daemon would have sent
// for all of it as one.
class PageDocument {
 public:
  explicit PageDocument(std::string_view list) : list_(list) {}

  std::string text_of(const Page& page);

 private:
  std::string_view list_;
  bool started_ = false;
  bool has_entries_ = false;
};

// The entries, a line each. A user's list names the user once; alone on its line an entry must say
// whose it is.
std::string lines_of(const Page& page);

}  // namespace concur::cli
