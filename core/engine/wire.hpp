#pragma once

#include "base/callback.hpp"
#include "engine/address.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace concur::engine {

// A stream of bytes to a server. One connect, then reads and writes, of each one at a time. All
// calls back come from the loop, none from within a call, and none once it is destroyed, which
// closes it; it may be destroyed by what it calls back.
class Wire {
 public:
  // Why it failed, as a cause; empty where it did not.
  using Done = Callback<void(std::string failure)>;
  using Read = Callback<void(std::string failure, std::string_view bytes)>;

  virtual ~Wire() = default;

  virtual void connect(Done done) = 0;
  // At least one byte, which lives through the call back; the server's end is a failure too.
  virtual void read(Read done) = 0;
  // All of it, which is taken; what is left in `bytes` is empty.
  virtual void write(std::string& bytes, Done done) = 0;
};

// Where wires come from: the network, or a test.
class Dialer {
 public:
  virtual ~Dialer() = default;
  virtual std::unique_ptr<Wire> dial(const Address& address) = 0;
};

}  // namespace concur::engine
