#include "base/clock.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
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

constexpr auto kTwoDigits = [] {
  std::array<char, 200> digits{};
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const std::size_t number = i / 2;
    digits[i] = static_cast<char>('0' + (i % 2 == 0 ? number / 10 : number % 10));
  }
  return digits;
}();

// Of a number from 0 to 99.
void put_two_digits(char* to, std::size_t number) { std::memcpy(to, &kTwoDigits[2 * number], 2); }

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
  const auto full_year = static_cast<unsigned>(static_cast<int>(date.year()));
  put_two_digits(to, full_year / 100);
  put_two_digits(to + 2, full_year % 100);
  put_two_digits(to + 5, static_cast<unsigned>(date.month()));
  put_two_digits(to + 8, static_cast<unsigned>(date.day()));
  put_two_digits(to + 11, static_cast<unsigned>(time.hours().count()));
  put_two_digits(to + 14, static_cast<unsigned>(time.minutes().count()));
  put_two_digits(to + 17, static_cast<unsigned>(time.seconds().count()));
  const auto milliseconds = static_cast<unsigned>(time.subseconds().count());
  to[20] = static_cast<char>('0' + milliseconds / 100);
  put_two_digits(to + 21, milliseconds % 100);
}

std::string format_utc(WallTime at) {
  std::string out(kUtcSize, '\0');
  put_utc(out.data(), at);
  return out;
}

}  // namespace concur
