// The plain way to limit streams, as a peer: a server that gives each request a transaction of its
// own on a SQLite database and counts by SQL. It answers as the daemon does, to the same requests.

#include "common/http_server.hpp"
#include "sqlite/sessions.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iterator>
#include <string>
#include <string_view>

namespace {

using namespace concur::bench;

struct Target {
  std::string_view method;
  std::string_view user;
  std::string_view session;
  bool heartbeat = false;
};

std::string_view take(std::string_view& rest, std::string_view upto) {
  const std::size_t end = rest.find_first_of(upto);
  const std::string_view taken = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end);
  return taken;
}

// PUT or DELETE /v1/users/USER/sessions/SESSION, or POST with /heartbeat behind it.
bool parse(std::string_view request, Target& target) {
  constexpr std::string_view kUsers = " /v1/users/";
  constexpr std::string_view kSessions = "/sessions/";
  target.method = take(request, " ");
  if (!request.starts_with(kUsers)) {
    return false;
  }
  request.remove_prefix(kUsers.size());
  target.user = take(request, "/ ");
  if (!request.starts_with(kSessions)) {
    return false;
  }
  request.remove_prefix(kSessions.size());
  target.session = take(request, "/ ");
  target.heartbeat = request.starts_with("/heartbeat ");
  return true;
}

void respond(std::string& out, std::string_view status, std::string_view body) {
  fmt::format_to(std::back_inserter(out), "HTTP/1.1 {}\r\nContent-Length: {}\r\n\r\n{}", status,
                 body.size(), body);
}

void respond_with_count(std::string& out, std::string_view status, int count) {
  std::array<char, 48> body;
  const auto done =
      fmt::format_to_n(body.data(), body.size(), R"({{"concurrentSessions":{}}})", count);
  respond(out, status, std::string_view(body.data(), done.size));
}

void answer(Sessions& sessions, std::string_view request, std::string& out) {
  Target target;
  if (!parse(request, target)) {
    respond(out, "200 OK", "{}");
  } else if (target.method == "PUT") {
    const int count = sessions.start(target.user, target.session);
    respond_with_count(out, count > 0 ? "201 Created" : "409 Conflict", std::abs(count));
  } else if (target.heartbeat) {
    const bool renewed = sessions.heartbeat(target.user, target.session);
    respond(out, renewed ? "200 OK" : "410 Gone", "{}");
  } else {
    respond(out, sessions.end(target.user, target.session) ? "200 OK" : "404 Not Found", "{}");
  }
}

int usage() {
  fmt::print(stderr, "usage: sqlite SOCKET DATABASE full|normal LIMIT LEASE_S SECONDS\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) {
    return usage();
  }
  const std::string durability = argv[3];
  const int limit = std::atoi(argv[4]);
  const int lease = std::atoi(argv[5]);
  const int seconds = std::atoi(argv[6]);
  if ((durability != "full" && durability != "normal") || limit < 1 || lease < 1 || seconds < 1) {
    return usage();
  }
  try {
    const SessionTerms terms{.limit = static_cast<std::uint32_t>(limit),
                             .lease = std::chrono::seconds(lease)};
    Sessions sessions(argv[2], durability == "full", terms);
    const auto answer_one = [&sessions](std::string_view request, std::string& out) {
      answer(sessions, request, out);
    };
    HttpServer(argv[1], answer_one).run_for(std::chrono::seconds(seconds));
  } catch (const std::exception& failure) {
    fmt::print(stderr, "sqlite: {}\n", failure.what());
    return 1;
  }
  return 0;
}
