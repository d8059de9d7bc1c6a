#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// Details that clients give for a session are kept within bounds; none is a reason to refuse it.
namespace concur {

inline constexpr std::size_t kMaxDetailBytes = 256;

// As much of well-formed UTF-8 as fits into so many bytes, in whole characters.
std::string_view cut_text(std::string_view text, std::size_t max_bytes);

// A device's name: one that is too long is cut and ends in a hash of the whole, for what makes
// devices differ may stand at the end. The same name has the same hash on any day and machine.
std::string cut_device(std::string_view device);

// A short name of a text, ~ and 32 hex digits, that two texts do not share by chance. The same on
// any day and machine.
std::string hash_text(std::string_view text);

}  // namespace concur
