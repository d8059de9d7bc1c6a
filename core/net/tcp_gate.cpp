#include "net/tcp_gate.hpp"

#include "base/text.hpp"
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
  if (credentials.from_page) {
    return refuse(caller, "a browser sends it on behalf of a page, and this is not for pages");
  }
  if (keys_) return authorize_by_key(caller, credentials);
  if (!credentials.host || !is_loopback_host(*credentials.host)) {
    return refuse(caller, "its Host is neither localhost nor a loopback address");
  }
  return std::nullopt;
}

std::optional<Refusal> TcpGate::authorize_by_key(Caller& caller, const Credentials& credentials) {
  const auto& given = credentials.key ? credentials.key : credentials.bearer;
  auto key = given ? keys_->find(*given) : nullptr;
  if (!key) {
    caller.known = false;
    Refusal refusal =
        refuse(caller, credentials.key      ? "its x-api-key is not one of the daemon's"
                       : credentials.bearer ? "its bearer token is not one of the daemon's keys"
                                            : "it needs a key, in the field x-api-key");
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

Refusal TcpGate::refuse(const Caller& caller, std::string_view cause) {
  if (const auto held_back = refusals_.next(clock_.now().instant)) {
    log_.warning("refused a request of {}: {}{}", caller.name, cause,
                 *held_back == 0 ? "" : text::format(" ({} more were refused before)", *held_back));
  }
  return {cause};
}

// Null where too many wait.
std::shared_ptr<void> TcpGate::take_permit() {
  if (*delayed_ == kMaxDelayed) return nullptr;
  ++*delayed_;
  return {delayed_.get(), [count = delayed_](void*) { --*count; }};
}

}  // namespace concur
