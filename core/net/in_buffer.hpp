#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>
#include <vector>

namespace concur {

// Bytes that arrived and are not parsed yet: written at the back, taken from the front, without
// clearing or shifting more than it must.
class InBuffer {
 public:
  std::string_view data() const { return {storage_.data() + begin_, end_ - begin_}; }
  bool empty() const { return begin_ == end_; }
  std::size_t capacity() const { return storage_.size(); }

  void consume(std::size_t size) {
    begin_ += size;
    if (begin_ == end_) begin_ = end_ = 0;
  }

  // At least `size` bytes to write to; valid until the next call of this or clear().
  char* space(std::size_t size) {
    if (begin_ > 0) {
      std::memmove(storage_.data(), storage_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    if (storage_.size() < end_ + size) storage_.resize(end_ + size);
    return storage_.data() + end_;
  }

  // That many bytes were written there.
  void commit(std::size_t size) { end_ += size; }

  // Gives the room back where there is more than that of it and nothing in it. For when nothing is
  // being written to it.
  void shrink(std::size_t most) {
    if (empty() && storage_.size() > most) storage_ = std::vector<char>();
  }

  void clear() { begin_ = end_ = 0; }

 private:
  std::vector<char> storage_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace concur
