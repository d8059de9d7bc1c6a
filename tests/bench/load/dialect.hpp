#pragma once

#include "common/unix_socket.hpp"
#include "load/cluster.hpp"
#include "load/names.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace concur::bench {

enum class Operation : std::uint8_t { start, heartbeat, end };
inline constexpr std::size_t kOperations = 3;

/// A whole request in which only the names change, and the time if it carries one.
struct RequestTemplate {
  static constexpr std::size_t kNoTime = 0;

  std::string bytes;
  std::size_t user_at;
  std::size_t session_at;
  std::size_t time_at = kNoTime;

  /// Writes the request at `out`, which has room for `bytes.size()`, and returns the end.
  char* write(std::uint32_t user, std::uint64_t serial, const SessionNames& names,
              std::chrono::steady_clock::time_point now, char* out) const;
};

/// What the first bytes of a stream of answers hold.
struct Answer {
  /// Bytes of the head; 0 while it is incomplete.
  std::size_t head = 0;
  /// Bytes that follow the head and say nothing more.
  std::size_t body = 0;
  /// The HTTP status, or the one that the daemon would have given; kMalformed if there is none.
  int status = 0;
};

inline constexpr int kMalformed = -1;

/// The status of what a peer's script or function answers: the count of active sessions to a start,
/// negative if it was refused; to the others 1, or 0 where there is no such session.
int status_of_count(long count, Operation operation);

/// How requests are written and answers are read: data and one function, so that both sides of a
/// comparison run through the same code.
struct Dialect {
  std::array<RequestTemplate, kOperations> requests;
  Answer (*read)(std::string_view bytes, Operation operation);
  /// Precedes the requests that are sent together, where they are one to the server.
  std::string head{};
  /// What a connection, still blocking, says first; may be empty. Throws std::runtime_error.
  std::function<void(const Fd&)> greet{};

  [[nodiscard]] const RequestTemplate& request(Operation operation) const {
    return requests[static_cast<std::size_t>(operation)];
  }
};

Dialect http_dialect();

/// A viewer's player, which asks a proxy for segments and tells by cookies who it is.
Dialect segments_dialect();

/// One request of HTTP for `count` commands, a line each.
Dialect batch_dialect(unsigned count);

/// What a peer that keeps no settings of its own is told with each request.
struct PeerTerms {
  unsigned limit;
  std::chrono::seconds lease;
};

struct RedisScripts {
  Servers servers;
  /// The directory of start.lua, heartbeat.lua and end.lua.
  std::string directory;
  PeerTerms terms;
};

/// Loads the scripts into the server and returns the requests that run them by their hashes.
/// Throws std::runtime_error.
Dialect resp_dialect(const RedisScripts& scripts);

/// The same at each primary of a cluster, where starts and ends wait for one replica.
Dialect cluster_dialect(const RedisScripts& scripts);

/// Runs the functions of functions.sql, prepared on each connection.
Dialect postgres_dialect(const PeerTerms& terms);

}  // namespace concur::bench
