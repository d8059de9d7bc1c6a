#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace concur {

// How many different things were seen, in at most 256 bytes: exact below kMax, estimated above
// with a standard error of an eighth. Keeps the least hashes (k minimum values; Bar-Yossef et al.,
// "Counting Distinct Elements in a Data Stream", 2002), so that the union of two counts is the
// count of the union.
class DistinctCount {
 public:
  static constexpr std::size_t kMax = 64;

  // Counts a thing by its name. The same name is the same thing on any day and any machine.
  void add(std::string_view thing);
  void merge(const DistinctCount& other);

  std::uint64_t estimate() const;
  bool empty() const { return least_.empty(); }

  // The hashes, ascending, each in four bytes, the lowest first. Nullopt where the bytes are not
  // such a list.
  std::string bytes() const;
  static std::optional<DistinctCount> parse(std::string_view bytes);

  bool operator==(const DistinctCount&) const = default;

 private:
  std::vector<std::uint32_t> least_;  // ascending, each once
};

}  // namespace concur
