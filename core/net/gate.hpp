#pragma once

#include "api/entrance.hpp"
#include "api/message.hpp"
#include "net/api_keys.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace concur {

// Who sends a connection's requests, as far as that is known.
struct Caller {
  Role role = Role::kMetrics;
  std::string name;                     // for the log: "uid 1000, pid 42"
  bool known = false;                   // has shown who it is
  std::shared_ptr<const ApiKey> key{};  // by which it is known, where by one
  std::int64_t uid = -1;                // of a process on this machine, where the kernel says so
};

// What a browser says of a request by itself, so that no page can change it (RFC 6454; Fetch
// Metadata Request Headers).
struct BrowserFields {
  std::optional<std::string_view> origin{};
  std::optional<std::string_view> site{};  // Sec-Fetch-Site
  bool navigates = false;                  // Sec-Fetch-Mode: somebody goes to an address
};

// What a request's head says of who sends it; views that live through the call.
struct Credentials {
  std::optional<std::string_view> host;
  std::optional<std::string_view> key;  // x-api-key
  BrowserFields browser{};
  // Where a key may stand too: Authorization; of a hook, also its URL.
  std::optional<std::string_view> bearer{};
  Entrance entrance = Entrance::kApi;
};

// Why a request is not taken. Of proxies and media servers none is a denial, so that their viewers
// fare as if the daemon were not there: the status says so. A delayed refusal is sent a while
// later, so that to guess keys is slow. How many wait is bounded: `permit` is this one's place
// among them; null closes the connection without an answer.
struct Refusal {
  std::string_view cause;  // of static storage
  bool delayed = false;
  std::shared_ptr<void> permit{};
  int status = 403;
};

constexpr int refusal_status(Entrance entrance) { return is_of_viewers(entrance) ? 503 : 403; }

// Decides who comes in by a listening socket. For the loop thread alone.
class Gate {
 public:
  virtual ~Gate() = default;

  // The one at the other end of a socket just accepted.
  virtual Caller identify(int socket) = 0;
  // Asked for each request before its body is read; may change who the caller is.
  virtual std::optional<Refusal> authorize(Caller& caller, const Credentials& credentials) = 0;
  // Whether the caller may stay, where the gate's rules have changed.
  virtual bool is_still_valid(const Caller& caller) const = 0;
};

}  // namespace concur
