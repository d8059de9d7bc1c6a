#include "api/request_sources.hpp"

#include "base/text.hpp"
#include "base/utf8.hpp"
#include "session/detail_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace concur {

namespace {

constexpr std::array<std::pair<std::string_view, Source::Kind>, 8> kKinds{
    {{"param", Source::Kind::kParam},
     {"uri", Source::Kind::kUri},
     {"path", Source::Kind::kPath},
     {"cookie", Source::Kind::kCookie},
     {"header", Source::Kind::kHeader},
     {"cmcd", Source::Kind::kCmcd},
     {"hash", Source::Kind::kHash},
     {"field", Source::Kind::kField}}};
constexpr unsigned kMaxSegment = 64;
constexpr std::string_view kCmcdField = "cmcd-session";
constexpr std::string_view kCmcdParameter = "CMCD";
constexpr std::string_view kStreamType = "st";
constexpr std::string_view kTokenPunctuation = "!#$%&'*+-.^_`|~";  // RFC 9110, section 5.6.2

bool is_token_character(char c) {
  const bool is_alphanumeric =
      (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return is_alphanumeric || kTokenPunctuation.find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_token_character);
}

std::string in_small_letters(std::string_view text) {
  std::string small(text);
  for (char& c : small) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  return small;
}

template <class Take>
bool each_part(std::string_view list, char separator, const Take& take) {
  while (true) {
    const std::size_t end = list.find(separator);
    if (!take(list.substr(0, end))) return false;
    if (end == std::string_view::npos) return true;
    list.remove_prefix(end + 1);
  }
}

bool read_segment_number(Source& source) {
  const char* end = source.name.data() + source.name.size();
  const auto [rest, failed] = std::from_chars(source.name.data(), end, source.number);
  return failed == std::errc() && rest == end && source.number >= 1 &&
         source.number <= kMaxSegment && source.name.front() != '0';
}

bool read_name(Source& source) {
  switch (source.kind) {
    case Source::Kind::kPath:
      return !source.name.empty() && read_segment_number(source);
    case Source::Kind::kHeader:
      source.name = in_small_letters(source.name);
      return is_token(source.name);
    case Source::Kind::kHash:
      source.name = in_small_letters(source.name);
      return each_part(source.name, ',', is_token);
    case Source::Kind::kCookie:
    case Source::Kind::kCmcd:
      return is_token(source.name);
    case Source::Kind::kParam:
    case Source::Kind::kUri:
    case Source::Kind::kField:
      break;
  }
  return !source.name.empty();
}

// The word may come out of a hook's URL, and be of any bytes; the answer is JSON.
Error no_source(std::string_view word, SourceOf of) {
  constexpr std::size_t kMaxShown = 64;
  const bool is_shown = word.size() <= kMaxShown && is_utf8(word) && !has_control(word);
  return {
      ErrorKind::kInvalid,
      text::format("'{}' is no source, such as param:NAME, uri:NAME, path:NUMBER, cookie:NAME, "
                   "header:NAME, cmcd:KEY{} hash:ip,user-agent",
                   is_shown ? word : "...", of == SourceOf::kProxy ? " or" : ", field:NAME or")};
}

// The fields of that name are one list (RFC 9110, section 5.3), but for who is asked about.
Finding field(std::span<const Field> header, std::string_view name) {
  Finding finding;
  for (const Field& each : header) {
    if (each.name != name) continue;
    finding.repeated = finding.value.has_value();
    if (!finding.value) finding.value = std::string(each.value);
  }
  return finding;
}

Finding cookie_of(std::span<const Field> header, std::string_view name) {
  Finding all;
  for (const Field& each : header) {
    if (each.name != "cookie") continue;
    Finding of_line = cookie(each.value, name);
    all.repeated = all.repeated || of_line.repeated || (all.value && of_line.value);
    if (!all.value) all.value = std::move(of_line.value);
  }
  return all;
}

// What CTA-5004 has as st: live, live with low latency, or on demand.
void name_stream_type(Finding& finding) {
  if (!finding.value) return;
  if (*finding.value == "l" || *finding.value == "ll") *finding.value = "live";
  if (*finding.value == "v") *finding.value = "vod";
}

Finding cmcd_as_sent(const SourceText& text, std::string_view key) {
  Finding payload = field(text.header, kCmcdField);
  if (payload.value) {
    Finding of_field = cmcd_value(*payload.value, key);
    of_field.repeated = of_field.repeated || payload.repeated;
    if (of_field.value) return of_field;
  }
  payload = parameter(query_of(text.uri), kCmcdParameter);
  if (!payload.value) return {};
  Finding of_uri = cmcd_value(*payload.value, key);
  of_uri.repeated = of_uri.repeated || payload.repeated;
  return of_uri;
}

Finding cmcd(const SourceText& text, std::string_view key) {
  Finding finding = cmcd_as_sent(text, key);
  if (key == kStreamType) name_stream_type(finding);
  return finding;
}

// Nothing where any of it is not there.
Finding hash(const SourceText& text, std::string_view names) {
  std::string all;
  const bool whole = each_part(names, ',', [&](std::string_view name) {
    const Finding part = name == "ip" ? Finding{std::string(text.ip)} : field(text.header, name);
    if (!part.value || part.value->empty()) return false;
    text::append(all, "{}:{},", part.value->size(), *part.value);
    return true;
  });
  if (!whole) return {};
  return {hash_text(all)};
}

Finding look_up(const Source& source, const SourceText& text) {
  switch (source.kind) {
    case Source::Kind::kParam:
      return parameter(text.query, source.name);
    case Source::Kind::kUri:
      return parameter(query_of(text.uri), source.name);
    case Source::Kind::kPath:
      return segment(path_of(text.uri), source.number);
    case Source::Kind::kCookie:
      return cookie_of(text.header, source.name);
    case Source::Kind::kHeader:
      return field(text.header, source.name);
    case Source::Kind::kCmcd:
      return cmcd(text, source.name);
    case Source::Kind::kHash:
      return hash(text, source.name);
    case Source::Kind::kField:
      return field(text.fields, source.name);
  }
  return {};
}

}  // namespace

Result<Sources> parse_sources(std::string_view text, SourceOf of) {
  Sources sources;
  std::optional<Error> wrong;
  each_part(text, ' ', [&](std::string_view word) {
    if (word.empty()) return true;
    const std::size_t colon = word.find(':');
    const auto* known = std::ranges::find(kKinds, word.substr(0, colon),
                                          &std::pair<std::string_view, Source::Kind>::first);
    bool is_one = colon != std::string_view::npos && known != kKinds.end();
    if (is_one) {
      Source& source =
          sources.emplace_back(Source{known->second, std::string(word.substr(colon + 1))});
      is_one = read_name(source) &&
               (source.kind != Source::Kind::kField || of == SourceOf::kMediaServer);
    }
    if (!is_one) wrong = no_source(word, of);
    return is_one;
  });
  if (wrong) return *wrong;
  return sources;
}

std::string to_text(const Sources& sources) {
  std::string text;
  for (const Source& source : sources) {
    const auto* known =
        std::ranges::find(kKinds, source.kind, &std::pair<std::string_view, Source::Kind>::second);
    text::append(text, "{}{}:{}", text.empty() ? "" : " ", known->first, source.name);
  }
  return text;
}

Finding find(const Sources& sources, const SourceText& text) {
  for (const Source& source : sources) {
    Finding finding = look_up(source, text);
    if (finding.value) return finding;
  }
  return {};
}

}  // namespace concur
