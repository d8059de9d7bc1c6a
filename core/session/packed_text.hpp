#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace concur {

// An immutable text of at most 2^32 - 1 bytes in 23 bytes: short ones inline, canonical lower-case
// UUIDs (RFC 9562, section 4) as their 16 bytes, others on the heap. A million names are a large
// part of the daemon's memory.
class PackedText {
 public:
  PackedText() = default;
  explicit PackedText(std::string_view text);
  PackedText(PackedText&& other) noexcept;
  PackedText& operator=(PackedText&& other) noexcept;
  ~PackedText();

  PackedText copy() const { return PackedText(*this); }
  bool empty() const { return tag_ == 0; }

  bool equals(std::string_view text) const;
  std::string str() const;

 private:
  static constexpr std::size_t kInline = 22;
  static constexpr std::uint8_t kUuid = 100;
  static constexpr std::uint8_t kHeap = 101;

  PackedText(const PackedText& other);

  std::string_view heap_view() const;
  void steal(PackedText& other);

  char bytes_[kInline] = {};
  std::uint8_t tag_ = 0;  // the inline length, kUuid or kHeap
};

}  // namespace concur
