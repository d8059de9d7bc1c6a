#include "engine/refusal.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace concur::engine {

namespace {

constexpr std::pair<std::string_view, Refusal> kWords[] = {
    {"MOVED", Refusal::kMoved},         {"ASK", Refusal::kAsk},
    {"READONLY", Refusal::kReadOnly},   {"MASTERDOWN", Refusal::kMasterDown},
    {"LOADING", Refusal::kLoading},     {"CLUSTERDOWN", Refusal::kClusterDown},
    {"TRYAGAIN", Refusal::kTryAgain},   {"BUSY", Refusal::kBusy},
    {"NOSCRIPT", Refusal::kNoScript},   {"OOM", Refusal::kFull},
    {"MISCONF", Refusal::kMisconf},     {"NOREPLICAS", Refusal::kNoReplicas},
    {"UNBLOCKED", Refusal::kUnblocked}, {"NOAUTH", Refusal::kNoAccess},
    {"NOPERM", Refusal::kNoAccess},     {"WRONGPASS", Refusal::kNoAccess},
};

// Takes the next word from the front.
std::string_view next_word(std::string_view& text) {
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(text.size(), word.size() + 1));
  return word;
}

}  // namespace

Refusal refusal_of(std::string_view error) {
  const std::string_view word = error.substr(0, error.find(' '));
  const auto* known = std::ranges::find(kWords, word, &std::pair<std::string_view, Refusal>::first);
  return known == std::end(kWords) ? Refusal::kOther : known->second;
}

bool is_passing(Refusal refusal) {
  switch (refusal) {
    case Refusal::kReadOnly:
    case Refusal::kMasterDown:
    case Refusal::kLoading:
    case Refusal::kClusterDown:
    case Refusal::kTryAgain:
    case Refusal::kBusy:
      return true;
    case Refusal::kMoved:
    case Refusal::kAsk:
    case Refusal::kNoScript:
    case Refusal::kFull:
    case Refusal::kMisconf:
    case Refusal::kNoReplicas:
    case Refusal::kUnblocked:
    case Refusal::kNoAccess:
    case Refusal::kOther:
      break;
  }
  return false;
}

std::optional<Redirect> parse_redirect(std::string_view error, const Address& from) {
  next_word(error);
  const std::string_view slot = next_word(error);
  Redirect redirect;
  const auto [rest, failed] =
      std::from_chars(slot.data(), slot.data() + slot.size(), redirect.slot);
  if (failed != std::errc() || rest != slot.data() + slot.size() || redirect.slot >= kSlots) {
    return std::nullopt;
  }
  // IPv6 comes without brackets: the port stands behind the last colon.
  const std::size_t colon = error.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = error.substr(0, colon);
  if (host.empty()) host = from.host;
  const auto port = parse_address("x" + std::string(error.substr(colon)));
  auto address = parse_address(to_text({std::string(host), kUsualPort}));
  if (!port || !address) return std::nullopt;
  redirect.to = {std::move(address->host), port->port};
  return redirect;
}

}  // namespace concur::engine
