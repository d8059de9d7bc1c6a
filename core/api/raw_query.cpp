#include "api/raw_query.hpp"

#include "api/target.hpp"

#include <algorithm>
#include <utility>

namespace concur {

namespace {

// Cuts off what stands before the separator, which goes too; all of it where there is none.
std::string_view take_up_to(std::string_view& text, char separator) {
  const std::string_view part = text.substr(0, text.find(separator));
  text.remove_prefix(std::min(part.size() + 1, text.size()));
  return part;
}

std::string decoded_or_empty(std::string_view text, bool plus_is_space) {
  std::string decoded;
  if (!decode_percent(decoded, text, plus_is_space)) decoded.clear();
  return decoded;
}

void found(Finding& finding, std::string&& value) {
  if (finding.value) {
    finding.repeated = true;
  } else {
    finding.value = std::move(value);
  }
}

std::string_view without_spaces_around(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

// A value of CMCD in front of the text, which goes with the comma behind it; what is in quotes may
// have escaped ones.
std::string take_cmcd_value(std::string_view& text) {
  if (!text.starts_with('"')) return std::string(without_spaces_around(take_up_to(text, ',')));
  text.remove_prefix(1);
  std::string value;
  bool ended = false;
  while (!text.empty() && !ended) {
    const bool escaped = text.front() == '\\' && text.size() > 1;
    ended = text.front() == '"';
    if (!ended) value += escaped ? text[1] : text.front();
    text.remove_prefix(escaped ? 2 : 1);
  }
  take_up_to(text, ',');
  if (!ended) value.clear();
  return value;
}

}  // namespace

std::string_view query_of(std::string_view uri) {
  uri = uri.substr(0, uri.find('#'));
  const std::size_t mark = uri.find('?');
  return mark == std::string_view::npos ? std::string_view() : uri.substr(mark + 1);
}

std::string_view path_of(std::string_view uri) { return uri.substr(0, uri.find_first_of("?#")); }

Finding parameter(std::string_view query, std::string_view name) {
  Finding finding;
  while (!query.empty()) {
    std::string_view value = take_up_to(query, '&');
    const std::string_view key = take_up_to(value, '=');
    const bool is_plain = key.find_first_of("%+") == std::string_view::npos;
    if (is_plain ? key != name : decoded_or_empty(key, true) != name) continue;
    found(finding, decoded_or_empty(value, true));
  }
  return finding;
}

Finding segment(std::string_view path, unsigned number) {
  Finding finding;
  if (path.starts_with('/')) path.remove_prefix(1);
  for (unsigned at = 1; !path.empty(); ++at) {
    const std::string_view part = take_up_to(path, '/');
    if (at != number) continue;
    found(finding, decoded_or_empty(part, false));
    break;
  }
  return finding;
}

Finding cookie(std::string_view field, std::string_view name) {
  Finding finding;
  while (!field.empty()) {
    std::string_view value = take_up_to(field, ';');
    if (without_spaces_around(take_up_to(value, '=')) != name) continue;
    value = without_spaces_around(value);
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      value = value.substr(1, value.size() - 2);
    }
    found(finding, std::string(value));
  }
  return finding;
}

Finding cmcd_value(std::string_view payload, std::string_view key) {
  Finding finding;
  while (!payload.empty()) {
    const std::size_t end = payload.find_first_of("=,");
    const std::string_view name = without_spaces_around(payload.substr(0, end));
    const bool has_value = end != std::string_view::npos && payload[end] == '=';
    payload.remove_prefix(end == std::string_view::npos ? payload.size() : end + 1);
    std::string value = has_value ? take_cmcd_value(payload) : "true";
    if (name == key) found(finding, std::move(value));
  }
  return finding;
}

}  // namespace concur
