#include "session/gone.hpp"

#include <algorithm>

namespace concur {

void GoneQueue::add_until(One one, Instant until) {
  kept_.push_back({until, one});
  std::ranges::push_heap(kept_, is_later);
}

void GoneQueue::pop_first_kept() {
  std::ranges::pop_heap(kept_, is_later);
  kept_.pop_back();
}

}  // namespace concur
