#pragma once

#include "session/slab.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace concur {

// Texts of slots, most of which have none and many the same: each text is kept once, and a slot
// takes four bytes. It grows in pieces, for a million that get one at once must not wait for that.
class SlotTexts {
 public:
  // Null where it has none.
  const std::string* find(Slot slot) const;
  // In place of what it had; none where the text is empty.
  void set(Slot slot, std::string_view text);
  void erase(Slot slot);

  std::size_t texts() const { return numbers_.size(); }

 private:
  using Number = std::uint32_t;  // of a text; 0 for none
  static constexpr Slot kPiece = 4096;
  struct Piece {
    std::array<Number, kPiece> numbers{};
    std::size_t used = 0;
  };
  using Numbers = std::map<std::string, Number, std::less<>>;
  struct Text {
    Numbers::iterator at{};
    std::size_t slots = 0;
  };

  Number number_of(std::string_view text);
  void let_go(Number number);

  std::vector<std::unique_ptr<Piece>> pieces_;
  Numbers numbers_;
  std::vector<Text> texts_;  // by number - 1
  std::vector<Number> free_;
};

}  // namespace concur
