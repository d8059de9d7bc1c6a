#include "service/backlog.hpp"

#include "base/text.hpp"

#include <variant>
#include <vector>

namespace concur {

namespace {

std::size_t size_of(const std::vector<SessionInfo>& sessions) {
  std::size_t size = 0;
  for (const SessionInfo& each : sessions) {
    const Details& details = each.details;
    size += sizeof each + each.user.size() + each.session.size() + details.device.size() +
            details.ip.size() + details.content.size() + details.meta.size() + each.box.size();
  }
  return size;
}

}  // namespace

std::string Backlog::refusal(CommandKind kind) const {
  const std::string_view verb = kind == CommandKind::kStart ? "start" : "take it";
  if (answers_ >= most_of(kind)) {
    return text::format("cannot {}: {} others wait for {} already", verb, most_of(kind),
                        waits_for_);
  }
  return text::format("cannot {}: long answers wait for {} already, {} MiB of them", verb,
                      waits_for_, kMaxBytes >> 20);
}

std::size_t Backlog::bytes_of(const Answer& answer) {
  if (const auto* denied = std::get_if<Denied>(&answer)) return size_of(denied->sessions);
  if (const auto* user = std::get_if<UserSessions>(&answer)) return size_of(user->sessions);
  if (const auto* page = std::get_if<Page>(&answer)) return size_of(page->sessions);
  return 0;
}

}  // namespace concur
