#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace concur {

// An immutable text of at most 2^32 - 1 bytes in 17 bytes: short ones inline, up to 32 lower-case
// hex digits by two in a byte, with the dashes of a UUID (RFC 9562, section 4) or without, others
// on the heap. A million names are a large part of the daemon's memory.
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
  bool operator==(std::string_view text) const { return equals(text); }
  bool operator==(const PackedText& other) const;
  std::string str() const;

  // Bytes to hash: the same for equal texts. Valid as long as this is.
  std::string_view key() const;

 private:
  static constexpr std::size_t kInline = 16;
  static constexpr std::uint8_t kHeap = 255;

  PackedText(const PackedText& other);

  std::string_view heap_view() const;
  void steal(PackedText& other);

  char bytes_[kInline] = {};
  std::uint8_t tag_ = 0;  // the text's length, or kHeap
};

}  // namespace concur
