#include "session/policy.hpp"

namespace concur {

std::string_view word_of(OnLimit on_limit) {
  return on_limit == OnLimit::kDeny ? "deny" : "evict-oldest";
}

std::optional<OnLimit> on_limit_of(std::string_view word) {
  for (const OnLimit each : {OnLimit::kDeny, OnLimit::kEvictOldest}) {
    if (word == word_of(each)) return each;
  }
  return std::nullopt;
}

}  // namespace concur
