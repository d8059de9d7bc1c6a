#pragma once

#include "api/message.hpp"
#include "base/result.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace concur {

// Who may ask over TCP, and as what.
struct ApiKey {
  std::string name;
  Role role = Role::kMetrics;
  std::string key;

  bool operator==(const ApiKey&) const = default;
};

inline constexpr std::size_t kMinKeySize = 32;  // 128 bits, written in hexadecimal digits
inline constexpr std::size_t kMaxKeySize = 128;
inline constexpr std::size_t kMaxKeyNameSize = 64;
inline constexpr std::size_t kMaxKeys = 1000;

// Reads lines `name role key`, separated by spaces or tabs; blank ones and those that start with #
// say nothing. A name has letters, digits, dots, dashes and underscores; a role is client, operator
// or metrics; a key is printable ASCII without spaces. Names and keys are unique. kInvalid for
// anything else, as `line <n>: <cause>`; the error never contains a key.
Result<std::vector<ApiKey>> parse_api_keys(std::string_view text);

struct ApiKeyFile {
  std::vector<ApiKey> keys;
  bool is_regular = true;  // it can be read again, see TextFile
};

// Reads the keys of a file that belongs to root or this process, that nobody else may write, and
// others may not read. `patience` is for a pipe, see read_text_file(). kInvalid as `cannot read API
// keys from <path>: <cause>`.
Result<ApiKeyFile> read_api_keys(const std::string& path, std::chrono::milliseconds patience);

// Whether both are the same, in a time that reveals nothing of where they differ.
bool equal_in_constant_time(std::string_view secret, std::string_view given);

// All keys in force.
class KeyRing {
 public:
  explicit KeyRing(std::vector<ApiKey> keys);

  // The one that is `given`, or null. Looks at all of them in any case.
  std::shared_ptr<const ApiKey> find(std::string_view given) const;

  bool has(const ApiKey& key) const;
  std::size_t size() const { return keys_.size(); }

 private:
  std::vector<std::shared_ptr<const ApiKey>> keys_;
};

}  // namespace concur
