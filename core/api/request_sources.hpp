#pragma once

#include "api/message.hpp"
#include "api/raw_query.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace concur {

// Where something that a proxy or a media server asks about stands in its request.
struct Source {
  enum class Kind : std::uint8_t {
    kParam,   // the parameter of that name in the query of the request itself
    kUri,     // the same in the query of the URI that the viewer asked for
    kPath,    // the segment of that number, from 1, in the path of that URI
    kCookie,  // the viewer's cookie of that name
    kHeader,  // the field of that name
    kCmcd,    // what the player says of itself: in the field CMCD-Session, else in that URI's query
    kHash,    // a hash of all that is named: fields, and "ip"
    kField,   // of a media server's callback, its field of that name
  };

  Kind kind = Kind::kParam;
  std::string name;     // of a path the number; names of header fields in small letters
  unsigned number = 0;  // of a path

  bool operator==(const Source&) const = default;
};

using Sources = std::vector<Source>;

// Whose fields may be named.
enum class SourceOf { kProxy, kMediaServer };

// Reads "param:user header:x-concur-user": sources in the order in which they are looked at. The
// error is kInvalid and names the one that is none.
Result<Sources> parse_sources(std::string_view text, SourceOf of = SourceOf::kProxy);
// The text that they are read from.
std::string to_text(const Sources& sources);

// A request, as sources look at it. Views that live through the call.
struct SourceText {
  std::string_view query{};  // of the request itself
  std::string_view uri{};    // that the viewer asked for
  std::span<const Field> header{};
  std::span<const Field> fields{};  // a media server's own
  std::string_view ip{};            // the viewer's, for a hash
};

// What the first source says that is there; none where there is none.
Finding find(const Sources& sources, const SourceText& text);

}  // namespace concur
