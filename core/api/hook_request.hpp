#pragma once

#include "api/hook_dialect.hpp"
#include "api/message.hpp"
#include "api/request_sources.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"
#include "session/policy.hpp"

#include <forward_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace concur {

// What the operator wrote into the URL of a hook.
struct HookUrl {
  Sources user;
  std::optional<Sources> session{};  // none: as the dialect says
  Sources device;
  std::optional<Sources> content{};
  std::optional<Millis> ttl{};
  std::optional<OnLimit> on_limit{};
  std::string tag{};   // stands before the names of sessions
  std::string also{};  // what is allowed besides, with commas between
};

// Reads the operator's part of a query; what it does not know is passed over. kInvalid where a
// value is none.
Result<HookUrl> parse_hook_url(std::string_view query);

// A media server's callback, read.
class HookRequest {
 public:
  // kInvalid where the URL or the body cannot be read. Views of the request: it must live longer.
  static Result<HookRequest> parse(const HookDialect& dialect, const Request& request);

  const HookUrl& url() const { return url_; }
  const HookEvent& event() const { return event_; }
  // What sources of the URL look at.
  SourceText text() const;

 private:
  HookRequest(const Request& request, HookUrl url)
      : header_(request.fields), url_(std::move(url)) {}

  Result<void> read_json(std::string_view body);
  void read_form(std::string_view form);
  std::string_view keep(std::string text);

  std::span<const Field> header_;
  HookUrl url_;
  std::forward_list<std::string> texts_;  // what fields_ look into
  std::vector<Field> fields_;
  HookEvent event_;
};

}  // namespace concur
