#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace concur::engine {

// A cluster spreads its keys over this many slots, each of which one primary owns.
inline constexpr unsigned kSlots = 16384;
using Slot = std::uint16_t;

// Of a key: CRC16 of what stands between the first { and the next }, where that is something, else
// of the whole (the specification of Redis Cluster, "Hash tags").
Slot slot_of(std::string_view key);

// A name as a part of a key, with {, } and % percent-encoded: so no name can choose its slot, nor
// be taken for another one.
void append_name(std::string& key, std::string_view name);

// The name of such a part. What could not have come from append_name() stands for itself.
std::string decode_name(std::string_view part);

// What in braces puts a key into that slot; four letters and digits.
std::string_view tag_of(Slot slot);

}  // namespace concur::engine
