#include "base/human.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>

namespace concur {

std::string human_duration(Millis value) {
  using namespace std::chrono;
  const auto whole = std::max(floor<seconds>(value), seconds(0)).count();
  if (whole < 60) return text::format("{}s", whole);
  if (whole < 3600) return text::format("{}m{:02}s", whole / 60, whole % 60);
  if (whole < 86400) return text::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
  return text::format("{}d{:02}h", whole / 86400, whole / 3600 % 24);
}

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::array<const char*, 6> kUnits{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return text::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  // 1023.96 would be rounded to four digits.
  while (value >= 999.5 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return text::format("{:.{}f} {}", value, value < 9.95 ? 1 : 0, kUnits[unit]);
}

std::string human_minute(WallTime at) {
  std::string text = format_utc(at);
  text[10] = ' ';
  return text.substr(0, 16) + " UTC";
}

}  // namespace concur
