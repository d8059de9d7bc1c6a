#pragma once

#include "base/result.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace concur {

// A request target taken apart (RFC 9112, section 3.2.1): path segments and query parameters,
// percent-decoded. Segments are split before they are decoded, so that an encoded slash is part of
// a name.
class Target {
 public:
  // kInvalid where it does not start with a slash or holds a broken percent-encoding.
  static Result<Target> parse(std::string_view text);

  // What stands between the slashes; the first slash opens the first segment. Empty ones count.
  const std::vector<std::string>& segments() const { return segments_; }

  // The first parameter of that name.
  std::optional<std::string_view> query(std::string_view name) const;

 private:
  std::vector<std::string> segments_;
  std::vector<std::pair<std::string, std::string>> query_;
};

}  // namespace concur
