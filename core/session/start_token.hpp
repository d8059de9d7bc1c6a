#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace concur {

// Names one start of a session: clients get it with each start, and say by it which of them they
// mean. To them it is opaque. Starts of one name compare in the order they came.
struct StartToken {
  std::uint64_t id = 0;     // of the session: one that starts after its end has a higher one
  std::uint32_t count = 0;  // rises with each start that found it active

  // clang-tidy before 18 sees a null pointer: https://github.com/llvm/llvm-project/issues/53961
  auto operator<=>(const StartToken&) const = default;  // NOLINT(modernize-use-nullptr)

  // None where the text is not that of any token, to the byte.
  static std::optional<StartToken> parse(std::string_view text);
};

// As clients have it, 19abc4f20d1.0: in hex, without a character that a URL or JSON would escape.
class StartTokenText {
 public:
  explicit StartTokenText(const StartToken& token);
  std::string_view view() const { return {text_, size_}; }

 private:
  char text_[16 + 1 + 8];
  std::size_t size_;
};

}  // namespace concur
