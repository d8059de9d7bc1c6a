#include "load/cluster.hpp"

#include "common/tcp_socket.hpp"
#include "load/names.hpp"

#include <array>

namespace concur::bench {
namespace {

constexpr unsigned kSlots = 16384;

constexpr std::array<std::uint16_t, 256> crc16_table() {
  std::array<std::uint16_t, 256> table{};
  for (unsigned byte = 0; byte < table.size(); ++byte) {
    unsigned crc = byte << 8U;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc & 0x8000U) != 0 ? (crc << 1U) ^ 0x1021U : crc << 1U;
    }
    table[byte] = static_cast<std::uint16_t>(crc);
  }
  return table;
}

constexpr std::array<std::uint16_t, 256> kCrc16 = crc16_table();

}  // namespace

Fd Servers::connect(std::size_t which) const {
  return ports.empty() ? connect_unix(socket) : connect_loopback(ports[which]);
}

std::size_t Servers::owner(std::uint32_t user) const {
  if (ports.empty()) {
    return 0;
  }
  std::array<char, kUserLength> name{};
  write_user(user, name.data());
  unsigned crc = 0;
  for (const char each : name) {
    const unsigned at = ((crc >> 8U) ^ static_cast<unsigned char>(each)) & 0xffU;
    crc = ((crc << 8U) ^ kCrc16[at]) & 0xffffU;
  }
  return crc % kSlots * ports.size() / kSlots;
}

}  // namespace concur::bench
