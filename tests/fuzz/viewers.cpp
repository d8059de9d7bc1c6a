// What viewers write and proxies and media servers pass on: it is read or not, and what is read is
// within its bounds, whatever it is.
#include "api/authorize.hpp"
#include "api/entrance.hpp"
#include "api/hook_request.hpp"
#include "api/route.hpp"
#include "base/utf8.hpp"
#include "session/detail_text.hpp"
#include "session/id.hpp"
#include "support/claim.hpp"
#include "support/fuzz_target.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

using namespace concur;
using fuzz::claim;

namespace {

std::string_view take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

// "GET /v1/hooks/srs?user=param:user", lines "name: value", an empty line and a body.
Request take_request(std::string_view text, std::vector<Field>& fields) {
  Request request;
  std::string_view line = take_line(text);
  request.method = line.substr(0, line.find(' '));
  line.remove_prefix(std::min(request.method.size() + 1, line.size()));
  request.target = line;
  while (!(line = take_line(text)).empty()) {
    const std::size_t colon = std::min(line.find(": "), line.size());
    fields.push_back({line.substr(0, colon), line.substr(std::min(colon + 2, line.size()))});
  }
  request.fields = fields;
  request.body = text;
  return request;
}

void check_detail(std::string_view detail) {
  claim(detail.size() <= kMaxDetailBytes, "a detail is within its bound");
  claim(is_utf8(detail) && !has_control(detail), "a detail is text");
}

void check_asked(const Asked& asked) {
  check_detail(asked.details.device);
  check_detail(asked.details.ip);
  check_detail(asked.details.content);
}

void check_authorize(const Request& request) {
  AuthorizeConfig config;
  check_asked(read_asked(config, request));
  config.user = *parse_sources("cookie:a uri:user path:2");
  config.session = *parse_sources("hash:ip,user-agent cmcd:sid");
  const Asked asked = read_asked(config, request);
  check_asked(asked);
  const bool is_hashed = asked.session && asked.session->starts_with('~');
  claim(!is_hashed || Id::parse("session", *asked.session).has_value(), "a hash is a name");
}

void check_url(const HookUrl& url) {
  claim(!url.ttl || (*url.ttl >= kMinLease && *url.ttl <= kMaxLease), "a ttl is within its bounds");
  const auto again = parse_sources(to_text(url.user), SourceOf::kMediaServer);
  claim(again && *again == url.user, "sources are written as they are read");
}

void check_hook(const Request& request) {
  const std::string_view path = path_of(request.target);
  const HookDialect* dialect = find_hook_dialect(path.substr(kHooksPath.size()));
  if (dialect == nullptr) return;
  const auto hook = HookRequest::parse(*dialect, request);
  if (!hook) {
    claim(hook.error().kind == ErrorKind::kInvalid, "a hook is refused as invalid");
    return;
  }
  check_url(hook->url());
  const Finding user = find(hook->url().user, hook->text());
  claim(user.value || !user.repeated, "what is there twice is there");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<Field> fields;
  const Request request = take_request({reinterpret_cast<const char*>(data), size}, fields);
  const std::string_view routed = routed_part(request.target);
  claim(request.target.starts_with(routed), "a target is routed by its beginning");
  switch (entrance_of(request.target)) {
    case Entrance::kAuthorize:
      check_authorize(request);
      break;
    case Entrance::kHook:
      check_hook(request);
      break;
    case Entrance::kApi:
    case Entrance::kOpen:
      break;
  }
  return 0;
}
