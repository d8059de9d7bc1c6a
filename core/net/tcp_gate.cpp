#include "net/tcp_gate.hpp"

#include "base/text.hpp"
#include "net/browser_guard.hpp"
#include "net/tcp_address.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <utility>

namespace concur {

namespace {

void set_option(int socket, int level, int name, int value) {
  setsockopt(socket, level, name, &value, sizeof value);
}

// Answers leave at once. A peer that vanished is found by probes: a stream of events may have
// nothing to send for hours.
void tune(int socket) {
  set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

// Of the key that a request brings.
std::string_view what_is_wrong(const Credentials& credentials) {
  const bool is_hook = credentials.entrance == Entrance::kHook;
  if (credentials.key) return "its x-api-key is not one of the daemon's";
  if (credentials.bearer) {
    return is_hook ? "its password, bearer token or key= is not one of the daemon's keys"
                   : "its bearer token is not one of the daemon's keys";
  }
  return is_hook ? "it needs a key: as a password, a bearer token or key= in the URL"
                 : "it needs a key, in the field x-api-key";
}

}  // namespace

Caller TcpGate::identify(int socket) {
  tune(socket);
  Caller caller{Role::kMetrics, to_text(peer_address_of(socket)), false};
  if (!keys_) {
    caller.role = Role::kClient;
    caller.known = true;
  }
  return caller;
}

std::optional<Refusal> TcpGate::authorize(Caller& caller, const Credentials& credentials) {
  // Proxies and media servers pass on what their viewers' browsers sent.
  if (!is_of_viewers(credentials.entrance)) {
    const auto cause = refuse_page(credentials, keys_ ? Vouched::kByKey : Vouched::kByHost);
    if (cause) return refuse(caller, credentials, *cause);
  }
  if (keys_) return authorize_by_key(caller, credentials);
  if (!credentials.host || !is_loopback_host(*credentials.host)) {
    return refuse(caller, credentials, "its Host is neither localhost nor a loopback address");
  }
  return std::nullopt;
}

std::optional<Refusal> TcpGate::authorize_by_key(Caller& caller, const Credentials& credentials) {
  const auto& given = credentials.key ? credentials.key : credentials.bearer;
  if (!given && credentials.entrance == Entrance::kOpen) return std::nullopt;
  auto key = given ? keys_->find(*given) : nullptr;
  if (!key) {
    caller.known = false;
    Refusal refusal = refuse(caller, credentials, what_is_wrong(credentials));
    refusal.delayed = true;
    refusal.permit = take_permit();
    return refusal;
  }
  if (caller.key != key) {
    // "10.0.0.7:4711", or behind another key's name: "key edge from 10.0.0.7:4711"
    const std::size_t before = caller.name.rfind(' ');
    const std::string address =
        before == std::string::npos ? caller.name : caller.name.substr(before + 1);
    caller.name = text::format("key {} from {}", key->name, address);
    caller.role = key->role;
    caller.key = std::move(key);
  }
  caller.known = true;
  return std::nullopt;
}

bool TcpGate::is_still_valid(const Caller& caller) const {
  return !keys_ || !caller.key || keys_->has(*caller.key);
}

Refusal TcpGate::refuse(const Caller& caller, const Credentials& credentials,
                        std::string_view cause) {
  if (const auto held_back = refusals_.next(clock_.now().instant)) {
    log_.warning("refused a request of {}: {}{}", caller.name, cause,
                 *held_back == 0 ? "" : text::format(" ({} more were refused before)", *held_back));
  }
  return {.cause = cause, .status = refusal_status(credentials.entrance)};
}

// Null where too many wait.
std::shared_ptr<void> TcpGate::take_permit() {
  if (*delayed_ == kMaxDelayed) return nullptr;
  ++*delayed_;
  return {delayed_.get(), [count = delayed_](void*) { --*count; }};
}

}  // namespace concur
