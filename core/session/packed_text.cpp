#include "session/packed_text.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

namespace concur {

namespace {

constexpr std::size_t kUuidText = 36;
constexpr std::size_t kUuidBytes = 16;
constexpr char kDigits[] = "0123456789abcdef";

constexpr bool is_dash_at(std::size_t i) { return i == 8 || i == 13 || i == 18 || i == 23; }

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

bool pack_uuid(std::string_view text, char* to) {
  if (text.size() != kUuidText) return false;
  for (std::size_t i = 0; i < kUuidText;) {
    if (is_dash_at(i)) {
      if (text[i++] != '-') return false;
      continue;
    }
    const int high = hex_value(text[i]);
    const int low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return false;
    *to++ = static_cast<char>(high * 16 + low);
    i += 2;
  }
  return true;
}

void unpack_uuid(const char* from, char* to) {
  for (std::size_t i = 0; i < kUuidText;) {
    if (is_dash_at(i)) {
      to[i++] = '-';
      continue;
    }
    const auto byte = static_cast<unsigned char>(*from++);
    to[i++] = kDigits[byte / 16];
    to[i++] = kDigits[byte % 16];
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
