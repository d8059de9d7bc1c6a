#pragma once

#include "api/message.hpp"
#include "api/request_sources.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"
#include "session/answer.hpp"
#include "session/session.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace concur {

// What proxies ask before they serve a viewer: whether it may go on, or start. No answer but a
// denial is 401 or 403, for both reach the viewer.

// Where /v1/authorize finds what it is about.
struct AuthorizeConfig {
  Sources user;
  Sources session;
  Sources device;
  Sources ip;
  Sources content;
  Sources type;                 // of the device; rules judge by these two
  Sources kind;                 // of what is watched: live or vod
  std::string uri;              // the field that has the URI that the viewer asked for
  std::optional<Millis> lease;  // of the sessions it starts or renews; none: the daemon's

  AuthorizeConfig();  // as it is where nothing is set
};

// Who is asked about, as far as it is said.
struct Asked {
  std::optional<std::string> user;  // empty where it could be read in two ways
  std::optional<std::string> session;
  Details details;
};

// Where no source of the address is named, it is the text's.
struct AskedSources {
  const Sources& user;
  const Sources& session;
  const Sources& device;
  const Sources& ip;
  const Sources& content;
  const Sources& type;  // these two become the meta of the session
  const Sources& kind;
};
Asked find_asked(const AskedSources& sources, SourceText text);

// An attribute within its bounds; empty where it is no text.
std::string detail_of(std::string_view text);

// The URI that the viewer asked for, where it stands behind /v1/authorize; none where nothing does.
std::optional<std::string_view> tail_of(std::string_view target);

// Of a request to /v1/authorize.
Asked read_asked(const AuthorizeConfig& config, const Request& request);

// Whom an answer goes to, for the statuses it takes: most take any 2xx, Envoy 200 alone.
enum class Allowed { kNoContent = 204, kOk = 200 };

// Nothing but that.
Response allowed_response(Allowed allowed);
// Tells of no other session.
Response to_authorize_response(const Answer& answer, Allowed allowed);
// Nothing could be decided: 503.
Response undecided_response(std::string_view message);
// 401: it is not known who asks.
Response no_user_response();
// 403: it is known who asks, not what for.
Response no_session_response();

// A line of a header, whose value is percent-encoded but for printable ASCII.
void append_encoded(std::string& headers, std::string_view name, std::string_view value);

}  // namespace concur
