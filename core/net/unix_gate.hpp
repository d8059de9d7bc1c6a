#pragma once

#include "net/gate.hpp"
#include "net/peer.hpp"

namespace concur {

// The Unix socket's: its mode says who may connect, and the kernel who it is. An operator may have
// opened a way to it for a browser, as with ssh -L: what a page of another site makes that send is
// refused.
class UnixGate final : public Gate {
 public:
  explicit UnixGate(const Operators& operators) : operators_(operators) {}

  Caller identify(int socket) override;
  std::optional<Refusal> authorize(Caller& caller, const Credentials& credentials) override;
  bool is_still_valid(const Caller& /*caller*/) const override { return true; }

 private:
  Operators operators_;
};

}  // namespace concur
