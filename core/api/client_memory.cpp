#include "api/client_memory.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <utility>

namespace concur {

ClientMemory::Part::Part(ClientMemory& memory, LetGo let_go)
    : memory_(memory), let_go_(std::move(let_go)) {
  memory_.parts_.insert(this);
}

ClientMemory::Part::~Part() {
  memory_.total_ -= bytes_;
  memory_.parts_.erase(this);
}

void ClientMemory::make_room() {
  while (total_ > most_) {
    Part& greatest = **std::max_element(
        parts_.begin(), parts_.end(),
        [](const Part* one, const Part* other) { return one->bytes_ < other->bytes_; });
    const std::size_t bytes = std::exchange(greatest.bytes_, 0);
    total_ -= bytes;
    greatest.gone_ = true;
    tell(bytes, greatest.let_go_());
  }
}

void ClientMemory::tell(std::size_t bytes, const std::string& whose) {
  const auto held_back = evictions_.next(clock_.now().instant);
  if (!held_back) return;
  log_.warning(
      "clients hold more than {} MiB of requests and answers: closing the connection of {}, which "
      "holds most of it, {} KiB; look for clients that do not read their answers{}",
      most_ >> 20, whose, bytes >> 10,
      *held_back == 0 ? "" : text::format(" ({} more were closed before)", *held_back));
}

}  // namespace concur
