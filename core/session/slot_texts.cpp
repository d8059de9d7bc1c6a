#include "session/slot_texts.hpp"

namespace concur {

const std::string* SlotTexts::find(Slot slot) const {
  const std::size_t piece = slot / kPiece;
  if (piece >= pieces_.size() || !pieces_[piece]) return nullptr;
  const Number number = pieces_[piece]->numbers[slot % kPiece];
  return number == 0 ? nullptr : &texts_[number - 1].at->first;
}

void SlotTexts::set(Slot slot, std::string_view text) {
  erase(slot);
  if (text.empty()) return;
  const std::size_t piece = slot / kPiece;
  if (piece >= pieces_.size()) pieces_.resize(piece + 1);
  if (!pieces_[piece]) pieces_[piece] = std::make_unique<Piece>();
  pieces_[piece]->numbers[slot % kPiece] = number_of(text);
  ++pieces_[piece]->used;
}

void SlotTexts::erase(Slot slot) {
  const std::size_t piece = slot / kPiece;
  if (piece >= pieces_.size() || !pieces_[piece]) return;
  Number& number = pieces_[piece]->numbers[slot % kPiece];
  if (number == 0) return;
  let_go(number);
  number = 0;
  if (--pieces_[piece]->used == 0) pieces_[piece].reset();
}

SlotTexts::Number SlotTexts::number_of(std::string_view text) {
  auto known = numbers_.find(text);
  if (known == numbers_.end()) {
    if (free_.empty()) {
      texts_.emplace_back();
      free_.push_back(static_cast<Number>(texts_.size()));
    }
    known = numbers_.emplace(std::string(text), free_.back()).first;
    texts_[free_.back() - 1] = {known, 0};
    free_.pop_back();
  }
  ++texts_[known->second - 1].slots;
  return known->second;
}

void SlotTexts::let_go(Number number) {
  Text& text = texts_[number - 1];
  if (--text.slots > 0) return;
  numbers_.erase(text.at);
  free_.push_back(number);
}

}  // namespace concur
