#include "api/page.hpp"

#include "api/error_response.hpp"
#include "base/text.hpp"
#include "session/detail_text.hpp"

#include <boost/beast/core/string.hpp>

#include <algorithm>
#include <string>

namespace concur {

namespace {

// No byte from elsewhere, nothing that a user's name could bring to run, no frame of another site
// around it, and no other site told of it.
constexpr std::string_view kSafe =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src "
    "'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n";

// What is kept is asked about each time: the page is that of the daemon that runs.
constexpr std::string_view kCached = "Cache-Control: no-cache\r\nVary: Accept-Encoding\r\n";

std::string_view type_of(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  return "text/javascript; charset=utf-8";
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

// Whether `holds` of any of what commas separate.
template <class Holds>
bool any_of_list(std::string_view list, const Holds& holds) {
  while (true) {
    const std::size_t comma = list.find(',');
    if (holds(trimmed(list.substr(0, comma)))) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
}

// "q=0", "q=0.000": none of it.
bool is_refused(std::string_view weight) {
  weight = trimmed(weight);
  if (!weight.starts_with("q=") && !weight.starts_with("Q=")) return false;
  return weight.find_first_not_of("0.", 2) == std::string_view::npos;
}

}  // namespace

const PageFile* find_page_file(std::string_view name) {
  const auto found = std::ranges::find(page_files(), name, &PageFile::name);
  return found == page_files().end() ? nullptr : &*found;
}

bool takes_gzip(std::string_view accepted) {
  return any_of_list(accepted, [](std::string_view coding) {
    const std::size_t end = coding.find(';');
    const std::string_view name = trimmed(coding.substr(0, end));
    if (!boost::beast::iequals(name, "gzip")) return false;
    return end == std::string_view::npos || !is_refused(coding.substr(end + 1));
  });
}

bool names_tag(std::string_view tags, std::string_view tag) {
  return any_of_list(tags, [tag](std::string_view each) {
    if (each.starts_with("W/")) each.remove_prefix(2);
    return each == "*" || each == tag;
  });
}

Response to_response(const PageFile& file, std::span<const Field> fields) {
  bool is_zipped = false;
  for (const Field& field : fields) {
    if (field.name == "accept-encoding") is_zipped = is_zipped || takes_gzip(field.value);
  }
  const std::string tag =
      text::format("\"{}{}\"", hash_text(file.plain).substr(1), is_zipped ? "-gzip" : "");
  Response response;
  response.content_type = type_of(file.name);
  response.headers = text::format("{}{}{}ETag: {}\r\n{}", kSafe, kNoSniff, kCached, tag,
                                  is_zipped ? "Content-Encoding: gzip\r\n" : "");
  for (const Field& field : fields) {
    if (field.name == "if-none-match" && names_tag(field.value, tag)) {
      response.status = 304;
      return response;
    }
  }
  response.body = is_zipped ? file.zipped : file.plain;
  return response;
}

}  // namespace concur
