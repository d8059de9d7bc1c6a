// Durations: what is read is printed in a form that is read as the same, and no longer than it was.
#include "base/duration.hpp"

#include "support/claim.hpp"
#include "support/fuzz_target.hpp"

#include <cctype>
#include <cstring>
#include <string_view>

using namespace concur;
using fuzz::claim;

namespace {

constexpr Millis kMost = std::chrono::hours(24) * 366 * 100;

void check_text(std::string_view text) {
  const auto read = parse_duration(text);
  if (!read) {
    claim(read.error().kind == ErrorKind::kInvalid, "a duration is refused as invalid");
    claim(read.error().message.starts_with("cannot read duration"), "and the refusal says so");
    return;
  }
  claim(*read >= Millis(0) && *read <= kMost, "a duration is between nothing and a hundred years");
  const std::string printed = format_duration(*read);
  const auto again = parse_duration(printed);
  claim(again && *again == *read, "what is printed is read as the same");
  const bool has_unit = std::isalpha(static_cast<unsigned char>(text.back())) != 0;
  claim(printed.size() <= text.size() + (has_unit ? 0 : 1), "it is printed in the shortest form");
}

void check_value(Millis value) {
  const auto read = parse_duration(format_duration(value));
  claim(read && *read == value, "each duration that can be read can be printed and read");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_text(text);
  std::uint64_t number = 0;
  if (size >= sizeof number) {
    std::memcpy(&number, data, sizeof number);
    check_value(
        Millis(static_cast<Millis::rep>(number % static_cast<std::uint64_t>(kMost.count() + 1))));
  }
  return 0;
}
