#pragma once

#include "api/message.hpp"
#include "net/api_keys.hpp"

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
};

// What a request's header says of who sends it; views that live through the call.
struct Credentials {
  std::optional<std::string_view> host;
  std::optional<std::string_view> key;  // x-api-key
  bool from_page = false;               // a browser sends it on behalf of a page
};

// Why a request is not taken. A slow one is to be told late, and holds its turn until then; one
// without a turn is not to be told at all.
struct Refusal {
  std::string_view cause;
  bool slow = false;
  std::shared_ptr<void> turn{};
};

// Decides who comes in by a listening socket. For the loop thread alone.
class Gate {
 public:
  virtual ~Gate() = default;

  // The one at the other end of a socket just accepted.
  virtual Caller greet(int socket) = 0;
  // Asked for each request before its body is read; may change who the caller is.
  virtual std::optional<Refusal> admit(Caller& caller, const Credentials& credentials) = 0;
  // Whether the caller may stay, where the gate's rules have changed.
  virtual bool still_knows(const Caller& caller) const = 0;
};

}  // namespace concur
