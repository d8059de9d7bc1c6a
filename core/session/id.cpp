#include "session/id.hpp"

#include "base/text.hpp"
#include "base/utf8.hpp"

namespace concur {

Result<Id> Id::parse(std::string_view what, std::string_view text) {
  if (text.empty()) return Error{ErrorKind::kInvalid, std::string(kMissingIds)};
  if (text.size() > kMaxBytes) {
    return Error{ErrorKind::kInvalid,
                 text::format("cannot accept {}: it has {} bytes, at most {} are allowed", what,
                              text.size(), kMaxBytes)};
  }
  if (is_printable_ascii(text)) return Id(text);
  if (!is_utf8(text)) {
    return Error{ErrorKind::kInvalid, text::format("cannot accept {}: it is not UTF-8", what)};
  }
  if (has_control(text)) {
    return Error{ErrorKind::kInvalid,
                 text::format("cannot accept {}: it holds a control character", what)};
  }
  return Id(text);
}

}  // namespace concur
