#include "base/duration.hpp"

#include "base/text.hpp"

#include <array>
#include <charconv>
#include <cstdint>

namespace concur {

namespace {

struct Unit {
  std::string_view name;
  std::int64_t millis;
};

constexpr std::array<Unit, 5> kUnits{{
    {"d", 86'400'000},
    {"h", 3'600'000},
    {"m", 60'000},
    {"s", 1'000},
    {"ms", 1},
}};

Error bad_duration(std::string_view text) {
  return {ErrorKind::kInvalid,
          text::format("cannot read duration '{}': it takes a whole number and ms, s, m, h or d, "
                       "such as 90s or 5m",
                       text)};
}

Error long_duration(std::string_view text) {
  return {ErrorKind::kInvalid, text::format("cannot read duration '{}': it takes at most {}", text,
                                            format_duration(kMaxDuration))};
}

}  // namespace

Result<Millis> parse_duration(std::string_view text) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, failed] = std::from_chars(text.data(), end, number);
  const bool too_long = failed == std::errc::result_out_of_range;
  if ((failed != std::errc() && !too_long) || text.front() == '-') return bad_duration(text);
  const std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  for (const auto& [name, millis] : kUnits) {
    if (unit != name && !(unit.empty() && name == "s")) continue;
    if (too_long || number > kMaxDuration.count() / millis) return long_duration(text);
    return Millis(number * millis);
  }
  return bad_duration(text);
}

std::string format_duration(Millis value) {
  if (value.count() == 0) return "0s";
  for (const auto& [name, millis] : kUnits) {
    if (value.count() % millis == 0) return text::format("{}{}", value.count() / millis, name);
  }
  return {};
}

}  // namespace concur
