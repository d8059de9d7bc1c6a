#pragma once

#include "base/clock.hpp"
#include "service/service.hpp"
#include "session/registry.hpp"

#include <chrono>
#include <cstddef>

namespace concur {

// What work that goes in steps needs of the service it is done for.
class StepHost {
 public:
  // The time, for decisions.
  virtual Now look_at_clock() = 0;
  // Decided, and not durable yet.
  virtual std::size_t waiting_changes() const = 0;
  // How long the last commit took.
  virtual std::chrono::nanoseconds commit_took() const = 0;
  // Something was decided: it is committed, and published.
  virtual void decided() = 0;
  // Answers when what the answer depends on is durable.
  virtual void answer(Decision&& decision, Service::Reply reply) = 0;

 protected:
  ~StepHost() = default;
};

}  // namespace concur
