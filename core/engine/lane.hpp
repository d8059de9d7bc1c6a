#pragma once

#include "base/clock.hpp"
#include "engine/connection.hpp"
#include "engine/engine_clock.hpp"
#include "engine/request.hpp"
#include "engine/router.hpp"
#include "engine/wait_ration.hpp"

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace concur::engine {

// Whose word is enough for a change.
enum class Ack { kPrimary, kReplica };

// One of the connections to a primary, and the requests that go over it. What came in a turn goes
// out in one write, and where changes in it are to be acknowledged by a replica one WAIT behind
// them, which counts what was written over the same connection.
class Lane {
 public:
  static constexpr std::size_t kMaxRequests = 16'384;
  // Under way at once: the server works off nothing behind one, and each may take its time.
  static constexpr unsigned kMaxWaits = 2;
  static constexpr std::size_t kMaxBytes = std::size_t{32} << 20U;

  // All must outlive it.
  Lane(Router& router, const Surroundings& surroundings, Counters& counters, EngineClock& clock,
       const Address& address, Ack ack);

  // False, and the request is still the caller's, where there are too many.
  bool add(RequestPtr& request);
  void flush(Instant now);
  void check_time() { connection_.check_time(); }
  // Those that were not sent yet.
  std::deque<RequestPtr> take_queued();

  Connection& connection() { return connection_; }
  const Connection& connection() const { return connection_; }
  const WaitRation& ration() const { return ration_; }

 private:
  void send(RequestPtr request, bool waits, Instant now);
  void send_prelude(Request& request);
  void send_wait(Instant now);
  void on_answer(RequestPtr request, bool waits, Connection::Answer&& answer);
  void on_prelude(Request& request, Connection::Answer&& answer);
  void on_error(RequestPtr request, std::string_view error);
  void on_reply(RequestPtr request, bool waits, Reply& reply);
  void on_held(RequestPtr request, bool waits);
  void on_wait(Connection::Answer&& answer);
  void settle(Request& request, bool replicated);
  void give_up(RequestPtr request);

  Router& router_;
  const Surroundings& surroundings_;
  Counters& counters_;
  EngineClock& clock_;
  Ack ack_;
  Connection connection_;
  WaitRation ration_;
  unsigned waits_ = 0;  // under way
  std::deque<RequestPtr> queue_;
  std::vector<RequestPtr> held_;  // changes that are applied, and wait for the next WAIT's answer
  std::size_t count_ = 0;         // of requests, queued or sent
  std::size_t bytes_ = 0;
  Request::Words words_;  // of one command; kept, so that it takes no memory
};

}  // namespace concur::engine
