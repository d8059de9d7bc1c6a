#include "fleet/fleet_config.hpp"

#include "base/text.hpp"
#include "base/utf8.hpp"

#include <algorithm>
#include <utility>

namespace concur {

namespace {

constexpr std::size_t kMaxNameSize = 64;

template <class T>
using Word = std::pair<std::string_view, T>;

constexpr Word<Unavailable> kUnavailables[] = {
    {"local", Unavailable::kLocal}, {"deny", Unavailable::kDeny}, {"allow", Unavailable::kAllow}};
constexpr Word<engine::Ack> kAcks[] = {{"replica", engine::Ack::kReplica},
                                       {"primary", engine::Ack::kPrimary}};

template <class T, std::size_t Size>
std::string_view word_in(const Word<T> (&words)[Size], T value) {
  return std::ranges::find(words, value, &Word<T>::second)->first;
}

template <class T, std::size_t Size>
std::optional<T> value_in(const Word<T> (&words)[Size], std::string_view word) {
  const auto* found = std::ranges::find(words, word, &Word<T>::first);
  if (found == std::end(words)) return std::nullopt;
  return found->second;
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

}  // namespace

std::string_view word_of(Unavailable unavailable) { return word_in(kUnavailables, unavailable); }

std::optional<Unavailable> unavailable_of(std::string_view word) {
  return value_in(kUnavailables, word);
}

std::string_view word_of(engine::Ack ack) { return word_in(kAcks, ack); }

std::optional<engine::Ack> ack_of(std::string_view word) { return value_in(kAcks, word); }

Result<void> parse_fleet_url(std::string_view text, FleetConfig& into) {
  auto seeds = engine::parse_seeds(text);
  if (!seeds) return seeds.error();
  into.seeds = std::move(seeds->addresses);
  into.tls = seeds->tls;
  return {};
}

std::string fleet_url(const FleetConfig& config) {
  std::string text;
  for (const engine::Address& seed : config.seeds) {
    text::append(text, "{}{}", text.empty() ? (config.tls ? "valkeys://" : "valkey://") : ",",
                 to_text(seed));
  }
  return text;
}

Result<void> check_fleet_name(std::string_view name) {
  if (!name.empty() && name.size() <= kMaxNameSize &&
      std::ranges::all_of(name, is_name_character)) {
    return {};
  }
  return Error{ErrorKind::kInvalid,
               text::format("it takes 1 to {} letters, digits, _ and -", kMaxNameSize)};
}

Result<void> check_box_label(std::string_view label) {
  if (!label.empty() && label.size() <= kMaxNameSize && is_utf8(label) && !has_control(label)) {
    return {};
  }
  return Error{
      ErrorKind::kInvalid,
      text::format("it takes 1 to {} bytes of UTF-8 without control characters", kMaxNameSize)};
}

}  // namespace concur
