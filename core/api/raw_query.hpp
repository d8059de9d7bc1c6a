#pragma once

#include <optional>
#include <string>
#include <string_view>

// Reading what a viewer wrote and others passed on: nothing in it need be well formed, and nothing
// of it is a reason not to read the rest.
namespace concur {

// What was found by a name.
struct Finding {
  std::optional<std::string> value;  // the first one's; empty where it cannot be decoded
  bool repeated = false;             // there is another one of that name
};

// What stands between ? and # of a URI, and what before them.
std::string_view query_of(std::string_view uri);
std::string_view path_of(std::string_view uri);

// The parameter of that name in a query, percent-decoded, + as a space.
Finding parameter(std::string_view query, std::string_view name);

// The segment of that number in a path, from 1, percent-decoded.
Finding segment(std::string_view path, unsigned number);

// The cookie of that name in a field Cookie (RFC 6265, section 4.2), as it is, without quotes.
Finding cookie(std::string_view field, std::string_view name);

// What a CMCD payload says of a key (CTA-5004): sid="x",st=l,su.
Finding cmcd_value(std::string_view payload, std::string_view key);

}  // namespace concur
