// The ceiling of one request and one answer over a Unix socket: a server that does nothing but find
// where each request ends and send the same bytes back.

#include "echo/server.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>

namespace {

constexpr int kMostSeconds = 86'400;

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
    concur::bench::EchoServer(argv[2]).run_for(std::chrono::seconds(count));
  } catch (const std::exception& failure) {
    fmt::print(stderr, "echo: {}\n", failure.what());
    return 1;
  }
  return 0;
}
