#include "fleet/change_number.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>

namespace concur {

namespace {

constexpr std::size_t kChangeNumber = 8;
constexpr std::size_t kChangesKnown = 4;

}  // namespace

std::string random_change_number() {
  static thread_local std::mt19937_64 random = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  const std::uint64_t bits = random();
  std::string number(kChangeNumber, '\0');
  std::memcpy(number.data(), &bits, kChangeNumber);
  return number;
}

std::string version_after(std::string_view change_number, std::string_view before) {
  std::string version(change_number);
  version += before.substr(0, (kChangesKnown - 1) * kChangeNumber);
  return version;
}

bool version_has(std::string_view version, std::string_view change_number) {
  for (std::size_t at = 0; at + kChangeNumber <= version.size(); at += kChangeNumber) {
    if (version.substr(at, kChangeNumber) == change_number) return true;
  }
  return false;
}

}  // namespace concur
