#pragma once

#include "base/clock.hpp"
#include "engine/breaker.hpp"
#include "engine/engine_clock.hpp"
#include "engine/lane.hpp"
#include "engine/request.hpp"
#include "engine/router.hpp"

#include <boost/intrusive/list.hpp>

#include <cstddef>
#include <deque>
#include <optional>
#include <string>

namespace concur::engine {

// A primary, as we use it: a connection for the changes that are acknowledged and one for the rest,
// which does not wait behind those; and a breaker, so that nobody waits for a primary that others
// have waited for in vain.
class Primary {
 public:
  // All must outlive it.
  Primary(Router& router, const Surroundings& surroundings, Counters& counters, Address address,
          Ack ack);
  Primary(const Primary&) = delete;
  Primary& operator=(const Primary&) = delete;

  // Takes a request, or fails it at once.
  void add(RequestPtr request, Instant now);
  void flush(Instant now);
  // Ends what is over, connects, and makes trials, which change that key.
  void check_time(Instant now, const std::string& probe_key);
  // Those that were not sent yet.
  std::deque<RequestPtr> take_queued();

  // It said that it does not take what is for a primary: it is asked anew who it is.
  void reconnect(const std::string& cause);
  // It is no primary any more, as far as is known: fails what is left.
  void close(const std::string& cause);

  const Address& address() const { return changes_.connection().address(); }
  bool is_ready() const;  // both connections
  bool is_idle() const { return requests_.empty(); }
  const Breaker& breaker() const { return breaker_; }
  const EngineClock& clock() const { return clock_; }
  const WaitRation& ration() const { return changes_.ration(); }
  // Why it cannot be used, empty where it can.
  const std::string& trouble() const;
  std::size_t requests() const { return requests_.size(); }

 private:
  using Requests = boost::intrusive::list<Request, boost::intrusive::constant_time_size<false>>;

  void open_breaker(const std::string& cause);
  void end_overdue(Instant now);
  void check_connections(Instant now);
  void make_trial(Instant now, const std::string& probe_key);
  void on_trial(Connection::Answer&& answer);

  const Surroundings& surroundings_;
  EngineClock clock_;
  Lane changes_;
  Lane others_;
  Breaker breaker_;
  Instant trial_due_{};
  std::optional<Instant> unready_since_;
  std::uint64_t losses_ = 0;  // of both connections, when they were last looked at
  Requests requests_;         // of which none has an outcome, the oldest first
};

}  // namespace concur::engine
