#include "load/dialect.hpp"

#include <fmt/format.h>

#include <charconv>

namespace concur::bench {
namespace {

constexpr std::string_view kStatusLine = "HTTP/1.1 ";
constexpr std::string_view kRightStatusLine = "HTTP/1.1 200 ";
constexpr std::string_view kAnswer = R"({"status":)";

// As long for each command, so that the length of a batch does not hang on what is in it.
RequestTemplate make_line(std::string_view command) {
  const std::string before_user =
      fmt::format("{{{:22}\"user\":\"", fmt::format(R"("command":"{}",)", command));
  const std::string before_session =
      before_user + std::string(kUserLength, '0') + R"(","session":")";
  return {.bytes = before_session + std::string(kSessionLength, '0') + "\"}\n",
          .user_at = before_user.size(),
          .session_at = before_session.size()};
}

int status_of(std::string_view line) {
  int status = kMalformed;
  if (line.starts_with(kAnswer)) {
    std::from_chars(line.data() + kAnswer.size(), line.data() + line.size(), status);
  }
  return status;
}

// The answers are the lines of a chunked body, and the daemon ends its chunks where a line ends.
// The lines between them, of the head, the sizes of the chunks and the end, go with the next
// answer.
Answer read_batch(std::string_view bytes, Operation /*operation*/) {
  std::size_t at = 0;
  for (std::size_t end = bytes.find('\n'); end != std::string_view::npos;
       end = bytes.find('\n', at)) {
    const std::string_view line = bytes.substr(at, end - at);
    at = end + 1;
    const bool refused = line.starts_with(kStatusLine) && !line.starts_with(kRightStatusLine);
    if (refused || line.starts_with('{')) {
      return {.head = at, .body = 0, .status = refused ? kMalformed : status_of(line)};
    }
  }
  return {};
}

}  // namespace

Dialect batch_dialect(unsigned count) {
  Dialect dialect{.requests = {make_line("start"), make_line("heartbeat"), make_line("end")},
                  .read = &read_batch};
  dialect.head = fmt::format(
      "POST /v1/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
      "Content-Length: {}\r\n\r\n",
      count * dialect.request(Operation::start).bytes.size());
  return dialect;
}

}  // namespace concur::bench
