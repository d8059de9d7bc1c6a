#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace concur {

// The key of a user's hash, behind the fleet's prefix: no name can choose a slot of the cluster.
std::string user_key(std::string_view prefix, std::string_view user);
// A name within a key, and back; nothing where it is none.
std::string key_text(std::string_view name);
std::optional<std::string> name_of_key_text(std::string_view text);
// The user of such a key; empty for any other.
std::string user_of_key(std::string_view prefix, std::string_view key);

}  // namespace concur
