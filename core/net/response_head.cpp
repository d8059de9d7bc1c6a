#include "net/response_head.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>

namespace concur {

namespace {

// All of it up to the type of what follows.
std::string_view opening_of(int status) {
  switch (status) {
    case 200:
      return "HTTP/1.1 200 OK\r\nContent-Type: ";
    case 201:
      return "HTTP/1.1 201 Created\r\nContent-Type: ";
    case 400:
      return "HTTP/1.1 400 Bad Request\r\nContent-Type: ";
    case 401:
      return "HTTP/1.1 401 Unauthorized\r\nContent-Type: ";
    case 403:
      return "HTTP/1.1 403 Forbidden\r\nContent-Type: ";
    case 404:
      return "HTTP/1.1 404 Not Found\r\nContent-Type: ";
    case 405:
      return "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: ";
    case 408:
      return "HTTP/1.1 408 Request Timeout\r\nContent-Type: ";
    case 409:
      return "HTTP/1.1 409 Conflict\r\nContent-Type: ";
    case 410:
      return "HTTP/1.1 410 Gone\r\nContent-Type: ";
    case 413:
      return "HTTP/1.1 413 Content Too Large\r\nContent-Type: ";
    case 429:
      return "HTTP/1.1 429 Too Many Requests\r\nContent-Type: ";
    case 431:
      return "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: ";
    case 501:
      return "HTTP/1.1 501 Not Implemented\r\nContent-Type: ";
    case 503:
      return "HTTP/1.1 503 Service Unavailable\r\nContent-Type: ";
    case 505:
      return "HTTP/1.1 505 HTTP Version Not Supported\r\nContent-Type: ";
    default:
      return "HTTP/1.1 500 Internal Server Error\r\nContent-Type: ";
  }
}

// In one piece: an append costs more than the few bytes that it adds.
std::string_view put_length(std::size_t size, char (&room)[64]) {
  constexpr std::string_view kName = "\r\nContent-Length: ";
  char* to = std::copy(kName.begin(), kName.end(), room);
  to = std::to_chars(to, std::end(room), size).ptr;
  *to++ = '\r';
  *to++ = '\n';
  return {room, static_cast<std::size_t>(to - room)};
}

void append_type_and_length(std::string& out, const Response& response, Framing framing) {
  out += opening_of(response.status);
  out += response.content_type;
  switch (framing) {
    case Framing::kLength: {
      char room[64];
      out += put_length(response.body.size(), room);
      break;
    }
    case Framing::kChunked:
      out += "\r\nTransfer-Encoding: chunked\r\n";
      break;
    case Framing::kClose:
      out += "\r\n";
      break;
  }
}

}  // namespace

void append_head(std::string& out, const Response& response, Framing framing, bool keep_alive) {
  if (response.status == 204) {
    out += "HTTP/1.1 204 No Content\r\n";  // neither type nor length: RFC 9110, section 8.6
  } else if (response.status == 304) {
    out += "HTTP/1.1 304 Not Modified\r\n";  // nor here: section 15.4.5
  } else {
    append_type_and_length(out, response, framing);
  }
  out += response.headers;
  out += keep_alive ? kKeepAlive : "Connection: close\r\n\r\n";
}

void append_chunk(std::string& out, std::string_view part) {
  text::append(out, "{:x}\r\n", part.size());
  out += part;
  out += "\r\n";
}

}  // namespace concur
