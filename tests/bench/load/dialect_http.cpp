#include "load/dialect.hpp"

#include <fmt/format.h>

#include <strings.h>
#include <charconv>
#include <cstring>

namespace concur::bench {
namespace {

constexpr std::string_view kLengthField = "content-length:";
// A status line is at least "HTTP/1.1 200\r\n".
constexpr std::size_t kStatusAt = 9;
constexpr std::size_t kLeastStatusLine = 14;

int status_of(std::string_view head) {
  int status = kMalformed;
  if (head.size() >= kLeastStatusLine && head.starts_with("HTTP/1.")) {
    std::from_chars(head.data() + kStatusAt, head.data() + kStatusAt + 3, status);
  }
  return status;
}

bool is_length_field(std::string_view line) {
  return line.size() > kLengthField.size() && (line[0] == 'c' || line[0] == 'C') &&
         ::strncasecmp(line.data(), kLengthField.data(), kLengthField.size()) == 0;
}

bool parse_length(std::string_view line, std::size_t& length) {
  line.remove_prefix(kLengthField.size());
  while (!line.empty() && line.front() == ' ') {
    line.remove_prefix(1);
  }
  return std::from_chars(line.data(), line.data() + line.size(), length).ec == std::errc{};
}

Answer read_http(std::string_view bytes, Operation /*operation*/) {
  std::size_t at = 0;
  std::size_t body = 0;
  bool has_length = false;
  for (;;) {
    const void* found = std::memchr(bytes.data() + at, '\n', bytes.size() - at);
    if (found == nullptr) {
      return {};
    }
    const auto end = static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data()) + 1;
    const std::string_view line = bytes.substr(at, end - at);
    at = end;
    if (line == "\r\n") {
      break;
    }
    if (is_length_field(line)) {
      has_length = parse_length(line, body);
    }
  }
  // An answer without a length would end with the connection or be chunked; none of these servers
  // sends either, and only 204 has no body by its status.
  const int status = status_of(bytes.substr(0, at));
  return {.head = at, .body = body, .status = has_length || status == 204 ? status : kMalformed};
}

RequestTemplate make_request(std::string_view method, std::string_view action) {
  const std::string before_user = fmt::format("{} /v1/users/", method);
  const std::string before_session = before_user + std::string(kUserLength, '0') + "/sessions/";
  return {.bytes = before_session + std::string(kSessionLength, '0') +
                   fmt::format("{} HTTP/1.1\r\nHost: localhost\r\n\r\n", action),
          .user_at = before_user.size(),
          .session_at = before_session.size()};
}

}  // namespace

Dialect segments_dialect() {
  const std::string before_user = "GET /segment.ts HTTP/1.1\r\nHost: localhost\r\nCookie: account=";
  const std::string before_session = before_user + std::string(kUserLength, '0') + "; playback=";
  const RequestTemplate segment{
      .bytes = before_session + std::string(kSessionLength, '0') + "\r\n\r\n",
      .user_at = before_user.size(),
      .session_at = before_session.size()};
  return {.requests = {segment, segment, segment}, .read = &read_http};
}

Dialect http_dialect() {
  return {.requests = {make_request("PUT", ""), make_request("POST", "/heartbeat"),
                       make_request("DELETE", "")},
          .read = &read_http};
}

}  // namespace concur::bench
