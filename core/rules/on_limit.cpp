#include "rules/on_limit.hpp"

namespace concur {

std::string_view word_of(OnLimit on_limit) {
  switch (on_limit) {
    case OnLimit::kDeny:
      return "deny";
    case OnLimit::kEvictOldest:
      return "evict-oldest";
    case OnLimit::kEvictNewest:
      return "evict-newest";
  }
  return {};
}

std::optional<OnLimit> on_limit_of(std::string_view word) {
  for (const OnLimit each : {OnLimit::kDeny, OnLimit::kEvictOldest, OnLimit::kEvictNewest}) {
    if (word == word_of(each)) return each;
  }
  return std::nullopt;
}

}  // namespace concur
