#include "request.hpp"

#include <fmt/format.h>

namespace concur::cli {

namespace {

bool is_unreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

// Everything but RFC 3986's unreserved characters goes out as %XX, so that no byte of an id can end
// its segment.
std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c)) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += {'%', kDigits[byte >> 4U], kDigits[byte & 0xFU]};
    }
  }
  return out;
}

std::string sessions_of(std::string_view user) {
  return "/v1/users/" + percent_encoded(user) + "/sessions";
}

std::string target_of(const SessionName& name) {
  return sessions_of(name.user) + "/" + percent_encoded(name.session);
}

// Bytes that are not UTF-8 pass as they are: the daemon judges them.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string seconds(Millis value) {
  const auto [whole, rest] = std::div(value.count(), Millis::rep{1000});
  if (rest == 0) return fmt::format("{}", whole);
  return fmt::format("{}.{:03}", whole, rest);
}

// A JSON object of the members that are set; no text at all where none is.
class Object {
 public:
  void add(std::string_view key, std::string_view json) {
    text_ += fmt::format("{}{}:{}", text_.empty() ? '{' : ',', quoted(key), json);
  }
  void add_text(std::string_view key, const std::optional<std::string>& value) {
    if (value) add(key, quoted(*value));
  }
  void add_seconds(std::string_view key, const std::optional<Millis>& value) {
    if (value) add(key, seconds(*value));
  }
  std::string take() { return text_.empty() ? text_ : std::move(text_) + '}'; }

 private:
  std::string text_;
};

}  // namespace

Request request_of(const Start& start) {
  Object meta;
  for (const auto& [key, value] : start.meta) meta.add(key, quoted(value));
  Object body;
  body.add_seconds("ttl", start.ttl);
  if (start.limit) body.add("limit", fmt::format("{}", *start.limit));
  body.add_text("device", start.device);
  body.add_text("ip", start.ip);
  body.add_text("content", start.content);
  if (!start.meta.empty()) body.add("meta", meta.take());
  return {"PUT", target_of(start.name), body.take()};
}

Request request_of(const Heartbeat& heartbeat) {
  return {"POST", target_of(heartbeat.name) + "/heartbeat", {}};
}

Request request_of(const End& end) { return {"DELETE", target_of(end.name), {}}; }

Request request_of(const Purge& purge) {
  Object body;
  body.add_text("user", purge.user);
  body.add_seconds("idle", purge.idle);
  if (purge.all) body.add("all", "true");
  if (purge.dry_run) body.add("dryRun", "true");
  return {"POST", "/v1/purge", body.take()};
}

Request request_of(const Status& /*status*/) { return {"GET", "/v1/status", {}}; }

Request request_of(const List& list, std::string_view after) {
  std::string target = list.user ? sessions_of(*list.user) : "/v1/sessions?limit=1000";
  if (!after.empty()) {
    target += fmt::format("{}after={}", list.user ? '?' : '&', percent_encoded(after));
  }
  return {"GET", std::move(target), {}};
}

}  // namespace concur::cli
