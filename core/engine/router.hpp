#pragma once

#include "base/clock.hpp"
#include "engine/address.hpp"
#include "engine/refusal.hpp"
#include "engine/request.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace concur::engine {

// What happened so far.
struct Counters {
  std::uint64_t moved = 0;      // redirects, by kind
  std::uint64_t asked = 0;      //
  std::uint64_t read_only = 0;  //
  std::uint64_t retried = 0;    // for other reasons
  std::uint64_t reconnects = 0;
  std::uint64_t unacknowledged = 0;  // changes that no replica is known to have
  std::uint64_t surveys = 0;
};

// Who finds another way for a request whose attempt was in vain.
class Router {
 public:
  virtual ~Router() = default;

  // A server answered with an error, and has not executed it.
  virtual void on_refused(RequestPtr request, Refusal refusal, std::string_view error,
                          const Address& from) = 0;
  // Its answer does not come any more.
  virtual void on_lost(RequestPtr request) = 0;
  // There is something to be written at the end of the turn.
  virtual void flush_later() = 0;
  // A connection to a primary was lost, or could not be made.
  virtual void on_disconnected() = 0;
};

}  // namespace concur::engine
