#pragma once

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/log_throttle.hpp"
#include "net/gate.hpp"

#include <cstddef>
#include <memory>
#include <optional>

namespace concur {

// The TCP socket's. Where there are keys, each request needs one, but for what anybody may read.
// Where there are none the socket is on a loopback address: whoever comes is a client, unless the
// Host says that a page of some other site sent a browser here. What such a page makes a browser
// send is refused in any case; not what proxies and media servers pass on.
class TcpGate final : public Gate {
 public:
  // How many refusals may wait to be sent; further ones are not sent at all.
  static constexpr std::size_t kMaxDelayed = 64;

  // Clock and log must outlive it.
  TcpGate(std::optional<KeyRing> keys, const Clock& clock, Logger& log)
      : keys_(std::move(keys)), clock_(clock), log_(log) {}

  void set_keys(KeyRing keys) { keys_ = std::move(keys); }

  Caller identify(int socket) override;
  std::optional<Refusal> authorize(Caller& caller, const Credentials& credentials) override;
  bool is_still_valid(const Caller& caller) const override;

 private:
  std::optional<Refusal> authorize_by_key(Caller& caller, const Credentials& credentials);
  Refusal refuse(const Caller& caller, const Credentials& credentials, std::string_view cause);
  std::shared_ptr<void> take_permit();

  std::optional<KeyRing> keys_;
  const Clock& clock_;
  Logger& log_;
  LogThrottle refusals_;
  // Shared with the permits, which may live longer than this.
  std::shared_ptr<std::size_t> delayed_ = std::make_shared<std::size_t>(0);
};

}  // namespace concur
