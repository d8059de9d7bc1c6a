#include "session/distinct_count.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace concur {

void DistinctCount::add(std::string_view thing) {
  const auto hash = static_cast<std::uint32_t>(XXH3_64bits(thing.data(), thing.size()));
  const auto at = std::lower_bound(least_.begin(), least_.end(), hash);
  if (at != least_.end() && *at == hash) return;
  if (least_.size() == kMax) {
    if (at == least_.end()) return;
    least_.pop_back();
  }
  least_.insert(at, hash);
}

void DistinctCount::merge(const DistinctCount& other) {
  std::vector<std::uint32_t> both;
  both.reserve(least_.size() + other.least_.size());
  std::set_union(least_.begin(), least_.end(), other.least_.begin(), other.least_.end(),
                 std::back_inserter(both));
  both.resize(std::min(both.size(), kMax));
  least_ = std::move(both);
}

std::uint64_t DistinctCount::estimate() const {
  if (least_.size() < kMax) return least_.size();
  const double share = (static_cast<double>(least_.back()) + 1) / 4294967296.0;
  const auto estimate = static_cast<std::uint64_t>(std::llround((kMax - 1) / share));
  return std::max<std::uint64_t>(estimate, kMax);
}

std::string DistinctCount::bytes() const {
  std::string bytes;
  for (const std::uint32_t hash : least_) {
    for (unsigned shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(hash >> shift);
  }
  return bytes;
}

std::optional<DistinctCount> DistinctCount::parse(std::string_view bytes) {
  DistinctCount count;
  if (bytes.size() % 4 != 0 || bytes.size() > 4 * kMax) return std::nullopt;
  for (; !bytes.empty(); bytes.remove_prefix(4)) {
    std::uint32_t hash = 0;
    for (unsigned i = 0; i < 4; ++i) {
      hash |= std::uint32_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
    }
    if (!count.least_.empty() && count.least_.back() >= hash) return std::nullopt;
    count.least_.push_back(hash);
  }
  return count;
}

}  // namespace concur
