#include "session/packed_text.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <utility>

namespace concur {

namespace {

constexpr std::size_t kUuidText = 36;
constexpr std::size_t kMaxDigits = 32;
constexpr char kDigits[] = "0123456789abcdef";

// By character; -1 for one that is no lower-case hex digit.
constexpr auto kHexValues = [] {
  std::array<signed char, 256> values{};
  values.fill(-1);
  for (signed char i = 0; i < 16; ++i) values[static_cast<unsigned char>(kDigits[i])] = i;
  return values;
}();

// By byte.
constexpr auto kHexPairs = [] {
  std::array<std::array<char, 2>, 256> pairs{};
  for (std::size_t i = 0; i < 256; ++i) pairs[i] = {kDigits[i / 16], kDigits[i % 16]};
  return pairs;
}();

int hex_value(char c) { return kHexValues[static_cast<unsigned char>(c)]; }

// Where the pairs of digits stand.
using Pairs = std::array<std::uint8_t, kMaxDigits / 2>;
constexpr Pairs kUuid{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};
constexpr Pairs kPlain{0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30};

bool pack_pairs(const Pairs& pairs, const char* text, char* to) {
  int all = 0;
  for (const std::size_t at : pairs) {
    const int pair = hex_value(text[at]) * 16 | hex_value(text[at + 1]);
    *to++ = static_cast<char>(pair);
    all |= pair;
  }
  return all >= 0;
}

void unpack_pairs(const Pairs& pairs, const char* from, char* text) {
  for (const std::size_t at : pairs) {
    std::memcpy(text + at, kHexPairs[static_cast<unsigned char>(*from++)].data(), 2);
  }
}

// False where the text is neither a UUID nor so many hex digits.
bool pack_hex(std::string_view text, char* to) {
  if (text.size() == kUuidText) {
    if (text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-') return false;
    return pack_pairs(kUuid, text.data(), to);
  }
  if (text.size() > kMaxDigits) return false;
  char digits[kMaxDigits];
  std::fill(std::copy(text.begin(), text.end(), digits), std::end(digits), '0');
  return pack_pairs(kPlain, digits, to);
}

std::string unpack_hex(const char* from, std::size_t size) {
  char text[kUuidText];
  if (size == kUuidText) {
    text[8] = text[13] = text[18] = text[23] = '-';
    unpack_pairs(kUuid, from, text);
  } else {
    unpack_pairs(kPlain, from, text);
  }
  return {text, size};
}

}  // namespace

PackedText::PackedText(std::string_view text) {
  if (text.size() <= kInline) {
    std::copy(text.begin(), text.end(), bytes_);
    tag_ = static_cast<std::uint8_t>(text.size());
  } else if (pack_hex(text, bytes_)) {
    tag_ = static_cast<std::uint8_t>(text.size());
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
  if (tag_ != text.size()) return false;
  if (tag_ <= kInline) return std::string_view(bytes_, tag_) == text;
  char packed[kInline];
  return pack_hex(text, packed) && std::memcmp(packed, bytes_, kInline) == 0;
}

bool PackedText::operator==(const PackedText& other) const {
  if (tag_ != other.tag_) return false;
  if (tag_ == kHeap) return heap_view() == other.heap_view();
  return std::memcmp(bytes_, other.bytes_, kInline) == 0;
}

std::string PackedText::str() const {
  if (tag_ == kHeap) return std::string(heap_view());
  if (tag_ <= kInline) return {bytes_, tag_};
  return unpack_hex(bytes_, tag_);
}

std::string_view PackedText::key() const {
  return tag_ == kHeap ? heap_view() : std::string_view(bytes_, kInline);
}

}  // namespace concur
