#include "base/clock.hpp"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <fstream>

namespace concur {

namespace {

std::chrono::nanoseconds read_clock(clockid_t id) {
  timespec at{};
  clock_gettime(id, &at);
  return std::chrono::seconds(at.tv_sec) + std::chrono::nanoseconds(at.tv_nsec);
}

template <int Width>
char* put_digits(char* to, unsigned value) {
  for (int i = Width - 1; i >= 0; --i) {
    to[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  return to + Width;
}

}  // namespace

Now SystemClock::now() const {
  const auto boot = read_clock(CLOCK_BOOTTIME);
  const auto wall = read_clock(CLOCK_REALTIME);
  // CLOCK_MONOTONIC stands still in suspend; its coarse form does for a difference that is given in
  // seconds.
  const auto awake = read_clock(CLOCK_MONOTONIC_COARSE);
  return {Instant(std::chrono::floor<Millis>(boot)), wall - boot,
          std::chrono::floor<Millis>(boot - awake), boot};
}

std::chrono::nanoseconds SystemClock::since_boot() const { return read_clock(CLOCK_BOOTTIME); }

std::string boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

void put_utc(char* to, WallTime at) {
  using namespace std::chrono;
  constexpr WallTime kFirst = sys_days(year(0) / 1 / 1);
  constexpr WallTime kLast = sys_days(year(10000) / 1 / 1) - Millis(1);
  at = std::clamp(at, kFirst, kLast);
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss time(at - day);
  constexpr char kForm[] = "0000-00-00T00:00:00.000Z";
  static_assert(sizeof kForm - 1 == kUtcSize);
  std::memcpy(to, kForm, kUtcSize);
  to = put_digits<4>(to, static_cast<unsigned>(static_cast<int>(date.year())));
  to = put_digits<2>(to + 1, static_cast<unsigned>(date.month()));
  to = put_digits<2>(to + 1, static_cast<unsigned>(date.day()));
  to = put_digits<2>(to + 1, static_cast<unsigned>(time.hours().count()));
  to = put_digits<2>(to + 1, static_cast<unsigned>(time.minutes().count()));
  to = put_digits<2>(to + 1, static_cast<unsigned>(time.seconds().count()));
  put_digits<3>(to + 1, static_cast<unsigned>(time.subseconds().count()));
}

std::string format_utc(WallTime at) {
  std::string out(kUtcSize, '\0');
  put_utc(out.data(), at);
  return out;
}

}  // namespace concur
