// The ceiling of one request and one answer over a Unix socket: a server that does nothing but find
// where each request ends and send the same bytes back.

#include "common/http_server.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>

namespace {

constexpr int kMostSeconds = 86'400;

std::string make_answer() {
  const std::string body =
      fmt::format(R"({{"user":"u00000001","session":"{}","concurrentSessions":1,"limit":3,)"
                  R"("expiresAt":"2026-11-23T16:00:00.000Z","heartbeatInterval":30}})",
                  std::string(36, '0'));
  return fmt::format(
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
      body.size(), body);
}

int usage() {
  fmt::print(stderr, "usage: echo --socket PATH --seconds S (1 to {})\n", kMostSeconds);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5 || std::strcmp(argv[1], "--socket") != 0 ||
      std::strcmp(argv[3], "--seconds") != 0) {
    return usage();
  }
  const std::string seconds = argv[4];
  int count = 0;
  const auto [end, error] = std::from_chars(seconds.data(), seconds.data() + seconds.size(), count);
  if (error != std::errc{} || end != seconds.data() + seconds.size() || count < 1 ||
      count > kMostSeconds) {
    return usage();
  }
  try {
    const auto answer = [bytes = make_answer()](std::string_view, std::string& out) {
      out += bytes;
    };
    concur::bench::HttpServer(argv[2], answer).run_for(std::chrono::seconds(count));
  } catch (const std::exception& failure) {
    fmt::print(stderr, "echo: {}\n", failure.what());
    return 1;
  }
  return 0;
}
