#include "session/packed_text.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <utility>

namespace concur {

namespace {

constexpr std::size_t kUuidText = 36;
constexpr std::size_t kUuidBytes = 16;
constexpr char kDigits[] = "0123456789abcdef";

// By character; -1 for one that is no lower-case hex digit.
constexpr auto kHexValues = [] {
  std::array<signed char, 256> values{};
  values.fill(-1);
  for (signed char i = 0; i < 16; ++i) values[static_cast<unsigned char>(kDigits[i])] = i;
  return values;
}();

int hex_value(char c) { return kHexValues[static_cast<unsigned char>(c)]; }

// Where the sixteen pairs of digits stand.
constexpr std::array<std::uint8_t, kUuidBytes> kPairs{0,  2,  4,  6,  9,  11, 14, 16,
                                                      19, 21, 24, 26, 28, 30, 32, 34};

bool pack_uuid(std::string_view text, char* to) {
  if (text.size() != kUuidText) return false;
  if (text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-') return false;
  int all = 0;
  for (const std::size_t at : kPairs) {
    const int pair = hex_value(text[at]) * 16 | hex_value(text[at + 1]);
    *to++ = static_cast<char>(pair);
    all |= pair;
  }
  return all >= 0;
}

void unpack_uuid(const char* from, char* to) {
  to[8] = to[13] = to[18] = to[23] = '-';
  for (const std::size_t at : kPairs) {
    const auto byte = static_cast<unsigned char>(*from++);
    to[at] = kDigits[byte / 16];
    to[at + 1] = kDigits[byte % 16];
  }
}

}  // namespace

PackedText::PackedText(std::string_view text) {
  if (text.size() <= kInline) {
    std::copy(text.begin(), text.end(), bytes_);
    tag_ = static_cast<std::uint8_t>(text.size());
  } else if (pack_uuid(text, bytes_)) {
    tag_ = kUuid;
  } else {
    char* data = new char[text.size()];
    const auto size = static_cast<std::uint32_t>(text.size());
    std::copy(text.begin(), text.end(), data);
    std::memcpy(bytes_, &data, sizeof data);
    std::memcpy(bytes_ + sizeof data, &size, sizeof size);
    tag_ = kHeap;
  }
}

PackedText::PackedText(const PackedText& other) : tag_(other.tag_) {
  if (tag_ == kHeap) {
    tag_ = 0;
    *this = PackedText(other.heap_view());
  } else {
    std::copy(std::begin(other.bytes_), std::end(other.bytes_), bytes_);
  }
}

PackedText::PackedText(PackedText&& other) noexcept { steal(other); }

PackedText& PackedText::operator=(PackedText&& other) noexcept {
  if (this != &other) {
    if (tag_ == kHeap) delete[] heap_view().data();
    steal(other);
  }
  return *this;
}

PackedText::~PackedText() {
  if (tag_ == kHeap) delete[] heap_view().data();
}

void PackedText::steal(PackedText& other) {
  std::copy(std::begin(other.bytes_), std::end(other.bytes_), bytes_);
  tag_ = std::exchange(other.tag_, std::uint8_t{0});
}

std::string_view PackedText::heap_view() const {
  const char* data = nullptr;
  std::uint32_t size = 0;
  std::memcpy(&data, bytes_, sizeof data);
  std::memcpy(&size, bytes_ + sizeof data, sizeof size);
  return {data, size};
}

bool PackedText::equals(std::string_view text) const {
  if (tag_ == kHeap) return heap_view() == text;
  if (tag_ != kUuid) return std::string_view(bytes_, tag_) == text;
  char packed[kUuidBytes];
  return pack_uuid(text, packed) && std::memcmp(packed, bytes_, kUuidBytes) == 0;
}

std::string PackedText::str() const {
  if (tag_ == kHeap) return std::string(heap_view());
  if (tag_ != kUuid) return std::string(bytes_, tag_);
  std::string text(kUuidText, '\0');
  unpack_uuid(bytes_, text.data());
  return text;
}

}  // namespace concur
