#include "api/client_memory.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <utility>

namespace concur {

ClientMemory::Share::Share(ClientMemory& memory, Evict evict)
    : memory_(memory), evict_(std::move(evict)) {
  memory_.shares_.insert(this);
}

ClientMemory::Share::~Share() {
  memory_.total_ -= bytes_;
  memory_.shares_.erase(this);
}

void ClientMemory::make_room() {
  while (total_ > max_) {
    Share& greatest = **std::max_element(
        shares_.begin(), shares_.end(),
        [](const Share* one, const Share* other) { return one->bytes_ < other->bytes_; });
    const std::size_t bytes = std::exchange(greatest.bytes_, 0);
    total_ -= bytes;
    greatest.evicted_ = true;
    report(bytes, greatest.evict_());
  }
}

void ClientMemory::report(std::size_t bytes, const std::string& whose) {
  const auto held_back = reports_.next(clock_.now().instant);
  if (!held_back) return;
  log_.warning(
      "clients hold more than {} MiB of requests and answers: closing the connection of {}, which "
      "holds most of it, {} KiB; look for clients that do not read their answers{}",
      max_ >> 20, whose, bytes >> 10,
      *held_back == 0 ? "" : text::format(" ({} more were closed before)", *held_back));
}

}  // namespace concur
