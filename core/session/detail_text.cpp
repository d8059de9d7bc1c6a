#include "session/detail_text.hpp"

#include "base/text.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace concur {

std::string_view cut_text(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  while (max_bytes > 0 && (static_cast<unsigned char>(text[max_bytes]) & 0xC0U) == 0x80) {
    --max_bytes;
  }
  return text.substr(0, max_bytes);
}

std::string cut_device(std::string_view device) {
  if (device.size() <= kMaxDetailBytes) return std::string(device);
  const std::string hash = text::format("~{:016x}", XXH3_64bits(device.data(), device.size()));
  return std::string(cut_text(device, kMaxDetailBytes - hash.size())) + hash;
}

std::string hash_text(std::string_view text) {
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return text::format("~{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace concur
