#include "net/api_keys.hpp"

#include "base/text.hpp"
#include "base/utf8.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace concur {

namespace {

constexpr std::string_view kSpace = " \t\r";
constexpr std::string_view kNameCharacters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
constexpr std::pair<std::string_view, Role> kRoles[] = {
    {"client", Role::kClient}, {"operator", Role::kOperator}, {"metrics", Role::kMetrics}};

// Takes the next word from the front of the line; empty at its end.
std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(kSpace), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(kSpace));
  line.remove_prefix(word.size());
  return word;
}

Error bad_line(int number, std::string_view cause) {
  return {ErrorKind::kInvalid, text::format("line {}: {}", number, cause)};
}

Result<ApiKey> parse_line(std::string_view line, int number) {
  const std::string_view name = next_word(line);
  const std::string_view role = next_word(line);
  const std::string_view key = next_word(line);
  if (key.empty() || !next_word(line).empty()) {
    return bad_line(number, "it takes the form: name role key");
  }
  if (name.size() > kMaxKeyNameSize ||
      name.find_first_not_of(kNameCharacters) != std::string_view::npos) {
    return bad_line(number, text::format("a name has at most {} letters, digits, dots, dashes and "
                                         "underscores",
                                         kMaxKeyNameSize));
  }
  const auto* known = std::ranges::find(kRoles, role, &std::pair<std::string_view, Role>::first);
  if (known == std::end(kRoles)) {
    return bad_line(number, "a role is client, operator or metrics");
  }
  if (key.size() < kMinKeySize || key.size() > kMaxKeySize) {
    return bad_line(number, text::format("a key has {} to {} characters, this one has {}",
                                         kMinKeySize, kMaxKeySize, key.size()));
  }
  if (!std::ranges::all_of(key, [](char c) { return c > ' ' && c <= '~'; })) {
    return bad_line(number, "a key has printable ASCII characters alone");
  }
  return ApiKey{std::string(name), known->second, std::string(key)};
}

}  // namespace

Result<std::vector<ApiKey>> parse_api_keys(std::string_view text) {
  std::vector<ApiKey> keys;
  text = without_byte_order_mark(text);
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    line.remove_prefix(std::min(line.find_first_not_of(kSpace), line.size()));
    if (line.empty() || line.front() == '#') continue;
    auto key = parse_line(line, number);
    if (!key) return key.error();
    if (std::ranges::find(keys, key->name, &ApiKey::name) != keys.end()) {
      return bad_line(number, text::format("there is a key of the name {} already", key->name));
    }
    if (std::ranges::find(keys, key->key, &ApiKey::key) != keys.end()) {
      return bad_line(number, "another name has the same key");
    }
    if (keys.size() == kMaxKeys) {
      return bad_line(number, text::format("there are more than {} keys", kMaxKeys));
    }
    keys.push_back(std::move(*key));
  }
  return keys;
}

// The sum is volatile so that no compiler ends the loop where it is decided.
bool equal_in_constant_time(std::string_view secret, std::string_view given) {
  static constexpr std::string_view kInstead = "x";
  const std::string_view other = secret.empty() ? kInstead : secret;
  volatile unsigned difference = secret.size() == given.size() ? 0 : 1;
  std::size_t at = 0;
  for (const char c : given) {
    difference = difference | static_cast<unsigned char>(c ^ other[at]);
    at = at + 1 < other.size() ? at + 1 : 0;
  }
  return difference == 0;
}

KeyRing::KeyRing(std::vector<ApiKey> keys) {
  keys_.reserve(keys.size());
  for (ApiKey& key : keys) keys_.push_back(std::make_shared<const ApiKey>(std::move(key)));
}

std::shared_ptr<const ApiKey> KeyRing::find(std::string_view given) const {
  std::shared_ptr<const ApiKey> found;
  if (given.size() > kMaxKeySize) return found;
  for (const auto& key : keys_) {
    if (equal_in_constant_time(key->key, given)) found = key;
  }
  return found;
}

bool KeyRing::has(const ApiKey& wanted) const {
  return std::ranges::any_of(keys_, [&wanted](const auto& key) { return *key == wanted; });
}

}  // namespace concur
