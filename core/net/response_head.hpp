#pragma once

#include "api/message.hpp"

#include <string>
#include <string_view>

namespace concur {

// How long the body is said to be.
enum class Framing {
  kLength,   // as long as the response's body
  kChunked,  // it comes in chunks (RFC 9112, section 7.1)
  kClose,    // it ends with the connection
};

// How long the connection stays open for the next request, which clients with many requests heed:
// one that is sent as it closes would have to be sent again. It ends the head.
inline constexpr std::string_view kKeepAlive = "Keep-Alive: timeout=75\r\n\r\n";

// Appends status line and header fields, and the empty line behind them.
void append_head(std::string& out, const Response& response, Framing framing, bool keep_alive);

// Appends one chunk; an empty part would end the body.
void append_chunk(std::string& out, std::string_view part);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace concur
