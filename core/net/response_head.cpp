#include "net/response_head.hpp"

#include <fmt/format.h>

#include <iterator>

namespace concur {

namespace {

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 413:
      return "Content Too Large";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Internal Server Error";
  }
}

}  // namespace

void append_head(std::string& out, const Response& response, Framing framing, bool keep_alive) {
  out += "HTTP/1.1 ";
  out += fmt::format_int(response.status).c_str();
  out += ' ';
  out += reason_of(response.status);
  out += "\r\nContent-Type: ";
  out += response.content_type;
  switch (framing) {
    case Framing::kLength:
      out += "\r\nContent-Length: ";
      out += fmt::format_int(response.body.size()).c_str();
      break;
    case Framing::kChunked:
      out += "\r\nTransfer-Encoding: chunked";
      break;
    case Framing::kClose:
      break;
  }
  out += "\r\n";
  out += response.headers;
  if (!keep_alive) out += "Connection: close\r\n";
  out += "\r\n";
}

void append_chunk(std::string& out, std::string_view part) {
  fmt::format_to(std::back_inserter(out), "{:x}\r\n", part.size());
  out += part;
  out += "\r\n";
}

}  // namespace concur
