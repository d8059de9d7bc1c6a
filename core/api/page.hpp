#pragma once

#include "api/message.hpp"

#include <span>
#include <string_view>

namespace concur {

// A file of the operators' page, as it is in apps/page and as gzip makes it smaller.
struct PageFile {
  std::string_view name;  // "index.html"
  std::string_view plain;
  std::string_view zipped;
};

std::span<const PageFile> page_files();

// Null where there is none of that name.
const PageFile* find_page_file(std::string_view name);

// Answers a request for the file, of whose header these are the fields: zipped where the client
// takes that, and 304 where it has it already.
Response to_response(const PageFile& file, std::span<const Field> fields);

// Whether a value of Accept-Encoding takes gzip (RFC 9110, section 12.5.3).
bool takes_gzip(std::string_view accepted);

// Whether a value of If-None-Match names the tag, or any (RFC 9110, section 13.1.2).
bool names_tag(std::string_view tags, std::string_view tag);

}  // namespace concur
