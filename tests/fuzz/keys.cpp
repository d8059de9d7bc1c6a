// The file of API keys: what is read, written again, is read as the same; each key is found by
// itself alone; and no refusal tells a key.
#include "base/text.hpp"
#include "net/api_keys.hpp"

#include "support/claim.hpp"
#include "support/fuzz_target.hpp"

#include <set>
#include <string>
#include <string_view>
#include <vector>

using namespace concur;
using fuzz::claim;

namespace {

std::string_view word_of(Role role) {
  switch (role) {
    case Role::kMetrics:
      return "metrics";
    case Role::kClient:
      return "client";
    case Role::kOperator:
      return "operator";
  }
  return {};
}

// Some text that could be a key must not be in the refusal.
void check_refusal(const Error& error, std::string_view text) {
  claim(error.kind == ErrorKind::kInvalid, "a file is refused as invalid");
  claim(error.message.starts_with("line "), "with the line's number");
  constexpr std::string_view kSpace = " \t\r\n";
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find_first_of(kSpace));
    text.remove_prefix(word.size() < text.size() ? word.size() + 1 : text.size());
    claim(word.size() < kMinKeySize || word.size() > kMaxKeySize ||
              error.message.find(word) == std::string::npos || word.size() <= kMaxKeyNameSize,
          "and without the key");
  }
}

void check_key(const KeyRing& ring, const ApiKey& key) {
  claim(key.key.size() >= kMinKeySize && key.key.size() <= kMaxKeySize, "a key has its length");
  claim(!key.name.empty() && key.name.size() <= kMaxKeyNameSize, "and a name");
  const auto found = ring.find(key.key);
  claim(found && *found == key && ring.has(key), "a key is found");
  std::string other = key.key;
  other.back() = other.back() == 'x' ? 'y' : 'x';
  const auto wrong = ring.find(other);
  claim(!wrong || wrong->key == other, "and what is no key is not");
  claim(!ring.find(key.key.substr(1)) || ring.find(key.key.substr(1))->key == key.key.substr(1),
        "nor is a part of one");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  claim(equal_in_constant_time(text, text), "a text is equal to itself");
  claim(!equal_in_constant_time(text, std::string(text) + "x"), "and to nothing longer");
  const auto keys = parse_api_keys(text);
  if (!keys) {
    check_refusal(keys.error(), text);
    return 0;
  }
  std::string written;
  std::set<std::string> names;
  const KeyRing ring(*keys);
  claim(ring.size() == keys->size() && keys->size() <= kMaxKeys, "all keys are in force");
  for (const ApiKey& key : *keys) {
    check_key(ring, key);
    claim(names.insert(key.name).second, "a name is there once");
    written += text::format("{} {} {}\n", key.name, word_of(key.role), key.key);
  }
  const auto again = parse_api_keys(written);
  claim(again && *again == *keys, "what is written is read as the same");
  return 0;
}
