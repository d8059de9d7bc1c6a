#include "support/answers.hpp"

#include <charconv>

namespace concur::fuzz {

namespace {

std::optional<std::string_view> cut(std::string_view& text, std::string_view end) {
  const std::size_t at = text.find(end);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(at + end.size());
  return part;
}

std::optional<std::size_t> number(std::string_view text, int base) {
  std::size_t value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, failed] = std::from_chars(text.data(), end, value, base);
  if (failed != std::errc() || rest != end) return std::nullopt;
  return value;
}

std::optional<std::string> take_chunks(std::string_view& bytes) {
  std::string body;
  while (true) {
    const auto line = cut(bytes, "\r\n");
    const auto size = line ? number(*line, 16) : std::nullopt;
    if (!size || bytes.size() < *size + 2) return std::nullopt;
    body += bytes.substr(0, *size);
    bytes.remove_prefix(*size);
    if (!bytes.starts_with("\r\n")) return std::nullopt;
    bytes.remove_prefix(2);
    if (*size == 0) return body;
  }
}

// What the head says of the body.
struct Framing {
  std::optional<std::size_t> length;
  bool chunked = false;
};

bool read_field(std::string_view line, HttpAnswer& answer, Framing& framing) {
  const auto name = cut(line, ": ");
  if (!name) return false;
  if (*name == "Content-Type") answer.content_type = line;
  if (*name == "Connection") answer.closes = line == "close";
  if (*name == "Transfer-Encoding") framing.chunked = line == "chunked";
  if (*name != "Content-Length") return true;
  framing.length = number(line, 10);
  return framing.length.has_value();
}

bool take_body(std::string_view& bytes, const Framing& framing, HttpAnswer& answer) {
  if (framing.chunked) {
    const auto body = take_chunks(bytes);
    answer.body = body.value_or("");
    return body.has_value() && !framing.length;
  }
  const std::size_t length = framing.length.value_or(bytes.size());
  if (!framing.length) answer.closes = true;
  if (bytes.size() < length) return false;
  answer.body = bytes.substr(0, length);
  bytes.remove_prefix(length);
  return true;
}

}  // namespace

std::optional<std::vector<HttpAnswer>> read_answers(std::string_view bytes,
                                                    const std::vector<bool>& head_only) {
  std::vector<HttpAnswer> all;
  while (!bytes.empty()) {
    const auto line = cut(bytes, "\r\n");
    if (!line || !line->starts_with("HTTP/1.1 ")) return std::nullopt;
    const auto status = number(line->substr(9, 3), 10);
    if (!status) return std::nullopt;
    HttpAnswer answer;
    answer.status = static_cast<int>(*status);
    Framing framing;
    while (true) {
      const auto field = cut(bytes, "\r\n");
      if (!field) return std::nullopt;
      if (field->empty()) break;
      if (!read_field(*field, answer, framing)) return std::nullopt;
    }
    if (answer.status == 100) continue;
    const bool has_body = answer.status != 204 && answer.status != 304 &&
                          (all.size() >= head_only.size() || !head_only[all.size()]);
    if (has_body && !take_body(bytes, framing, answer)) return std::nullopt;
    all.push_back(std::move(answer));
  }
  return all;
}

}  // namespace concur::fuzz
