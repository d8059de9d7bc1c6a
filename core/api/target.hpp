#pragma once

#include "base/result.hpp"

#include <boost/container/small_vector.hpp>

#include <forward_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace concur {

// Appends the text, percent-decoded; false, with some of it appended, where that is broken.
bool decode_percent(std::string& out, std::string_view text, bool plus_is_space);

// A request target taken apart (RFC 9112, section 3.2.1): path segments and query parameters,
// percent-decoded. Segments are split before they are decoded, so that an encoded slash is part of
// a name. What needs no decoding stays where it is: the text must outlive the target.
class Target {
 public:
  // kInvalid where it does not start with a slash or holds a broken percent-encoding.
  static Result<Target> parse(std::string_view text);

  // The same in place of what it was; false where that cannot be.
  bool assign(std::string_view text);
  // Gives back what it takes of memory.
  void clear();

  // What stands between the slashes; the first slash opens the first segment. Empty ones count.
  using Segments = boost::container::small_vector<std::string_view, 8>;
  const Segments& segments() const { return segments_; }

  // Names and values, as they came.
  using Parameters = std::vector<std::pair<std::string_view, std::string_view>>;
  const Parameters& parameters() const { return query_; }

  // The first parameter of that name.
  std::optional<std::string_view> query(std::string_view name) const;

  // What the parameters take of memory: more than their text.
  std::size_t capacity() const { return query_.capacity() * sizeof(query_.front()); }

 private:
  bool decode(std::string_view text, bool plus_is_space, std::string_view& into);

  Segments segments_;
  Parameters query_;
  std::forward_list<std::string> decoded_;  // what the views of decoded parts look into
};

}  // namespace concur
