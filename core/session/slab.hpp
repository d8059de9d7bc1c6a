#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace concur {

using Slot = std::uint32_t;
inline constexpr Slot kNoSlot = 0xFFFF'FFFF;

// Items of one type, named by a 32-bit slot that stays theirs until it is released. Grows in
// chunks, so that items never move and growing never copies. A released slot is given out again,
// the last released first.
template <class T>
class Slab {
 public:
  Slot acquire() {
    if (!free_.empty()) {
      const Slot slot = free_.back();
      free_.pop_back();
      return slot;
    }
    // Reserved and not filled: memory that was never used is not taken from the system.
    if (end_ % kChunk == 0) chunks_.emplace_back().reserve(kChunk);
    chunks_.back().emplace_back();
    return end_++;
  }

  void release(Slot slot) {
    (*this)[slot] = T();
    free_.push_back(slot);
  }

  T& operator[](Slot slot) {
    assert(slot < end_);
    return chunks_[slot / kChunk][slot % kChunk];
  }
  const T& operator[](Slot slot) const {
    assert(slot < end_);
    return chunks_[slot / kChunk][slot % kChunk];
  }

  // One past the highest slot ever given out.
  Slot end() const { return end_; }

 private:
  static constexpr std::uint32_t kChunk = 16'384;

  std::vector<std::vector<T>> chunks_;
  std::vector<Slot> free_;
  Slot end_ = 0;
};

}  // namespace concur
