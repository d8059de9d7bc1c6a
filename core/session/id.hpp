#pragma once

#include "base/result.hpp"

#include <string_view>

namespace concur {

// A checked name of a user or a session: 1 to 256 bytes of UTF-8 without control characters,
// compared byte by byte. A view: the text must outlive it.
class Id {
 public:
  static constexpr std::size_t kMaxBytes = 256;

  // kInvalid where the text is not such a name; `what` ("user", "session") names it in the message.
  static Result<Id> parse(std::string_view what, std::string_view text);

  // The name of a session that has none yet: no other can have it, since parse() refuses it.
  static Id unnamed() { return Id(kUnnamed); }

  std::string_view text() const { return text_; }
  // As it is shown to people.
  std::string_view shown() const { return text_ == kUnnamed ? "one more" : text_; }
  // The same name in another place, for which that text is a copy of this one's.
  Id in(std::string_view copy) const { return Id(copy); }

 private:
  static constexpr std::string_view kUnnamed = "\n";

  explicit Id(std::string_view text) : text_(text) {}
  std::string_view text_;
};

// What both APIs say where a user or a session is missing.
inline constexpr std::string_view kMissingIds = "Please specify a userId and sessionId";

}  // namespace concur
