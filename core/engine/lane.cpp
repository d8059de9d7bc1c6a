#include "engine/lane.hpp"

#include "base/text.hpp"

#include <array>
#include <utility>

namespace concur::engine {

namespace {

// A replica that is there answers within milliseconds; one that is not holds up what follows.
constexpr int kWaitDivisor = 4;  // of the patience

}  // namespace

Lane::Lane(Router& router, const Surroundings& surroundings, Counters& counters, EngineClock& clock,
           const Address& address, Ack ack)
    : router_(router),
      surroundings_(surroundings),
      counters_(counters),
      clock_(clock),
      ack_(ack),
      connection_(
          surroundings, address, Connection::Scripts::kLoaded, [this] { router_.flush_later(); },
          [this] { router_.on_disconnected(); }),
      ration_(surroundings.patience / kWaitDivisor) {}

bool Lane::add(RequestPtr& request) {
  if (count_ >= kMaxRequests || bytes_ + request->size() > kMaxBytes) return false;
  ++count_;
  bytes_ += request->size();
  queue_.push_back(std::move(request));
  return true;
}

std::deque<RequestPtr> Lane::take_queued() {
  for (const RequestPtr& request : queue_) bytes_ -= request->size();
  count_ -= queue_.size();
  return std::exchange(queue_, {});
}

// --- what is sent ---

void Lane::flush(Instant now) {
  if (!connection_.is_ready() || waits_ == kMaxWaits) return;
  const bool waits = ack_ == Ack::kReplica && ration_.wants_wait(now);
  bool any_waits = false;
  while (!queue_.empty()) {
    RequestPtr request = std::move(queue_.front());
    queue_.pop_front();
    if (request->is_done()) {
      give_up(std::move(request));
      continue;
    }
    const bool this_waits = waits && request->is_acknowledged();
    any_waits |= this_waits;
    send(std::move(request), this_waits, now);
  }
  if (any_waits) send_wait(now);
  connection_.flush();
}

void Lane::send(RequestPtr request, bool waits, Instant now) {
  request->asked = now;
  request->sent = true;
  send_prelude(*request);
  if (request->asking) {
    connection_.send(std::array<std::string_view, 1>{"ASKING"}, [](Connection::Answer&&) {});
  }
  words_.clear();
  if (const auto script = request->script()) {
    words_.push_back(request->by_source ? "EVAL" : "EVALSHA");
    words_.push_back(request->by_source ? source_of(*script) : connection_.name_of(*script));
    words_.push_back("1");
  }
  request->put(words_);
  connection_.send(words_,
                   [this, waits, kept = std::move(request)](Connection::Answer&& answer) mutable {
                     on_answer(std::move(kept), waits, std::move(answer));
                   });
}

// Its answer comes before the request's own, which keeps the request.
void Lane::send_prelude(Request& request) {
  words_.clear();
  if (!request.put_prelude(words_)) return;
  connection_.send(words_, [this, &request](Connection::Answer&& answer) {
    on_prelude(request, std::move(answer));
  });
}

void Lane::send_wait(Instant now) {
  ration_.on_wait(now);
  ++waits_;
  const text::Digits patience((surroundings_.patience / kWaitDivisor).count());
  connection_.send(std::array<std::string_view, 3>{"WAIT", "1", patience.view()},
                   [this](Connection::Answer&& answer) { on_wait(std::move(answer)); });
}

// --- what is answered ---

void Lane::on_answer(RequestPtr request, bool waits, Connection::Answer&& answer) {
  request->sent = false;
  if (!answer) {
    request->lost = true;
    give_up(std::move(request));
  } else if (request->is_done()) {
    give_up(std::move(request));
  } else if (answer->is_error()) {
    on_error(std::move(request), answer->text);
  } else {
    on_reply(std::move(request), waits, *answer);
  }
}

void Lane::on_prelude(Request& request, Connection::Answer&& answer) {
  if (!answer) return;
  if (answer->is_error()) {
    request.fail(answer->text);
  } else if (!request.take_prelude(*answer)) {
    connection_.drop("its answer is none to what was asked");
  }
}

void Lane::on_error(RequestPtr request, std::string_view error) {
  const Refusal refusal = refusal_of(error);
  if (refusal == Refusal::kNoScript && !request->by_source) {
    request->by_source = true;
    queue_.push_back(std::move(request));
    return router_.flush_later();
  }
  --count_;
  bytes_ -= request->size();
  request->asking = false;
  router_.on_refused(std::move(request), refusal, error, connection_.address());
}

void Lane::on_reply(RequestPtr request, bool waits, Reply& reply) {
  switch (request->take(reply)) {
    case Request::Taken::kMalformed:
      request->lost = true;
      give_up(std::move(request));
      return connection_.drop("its answer is none to what was asked");
    case Request::Taken::kHeld:
      return on_held(std::move(request), waits);
    case Request::Taken::kDone:
      break;
  }
  if (const auto told = request->told()) {
    clock_.learn(request->asked, surroundings_.clock.now().instant, *told);
  }
  give_up(std::move(request));
}

void Lane::on_held(RequestPtr request, bool waits) {
  clock_.learn(request->asked, surroundings_.clock.now().instant, *request->told());
  if (waits) {
    request->sent = true;  // it is applied, whatever comes
    held_.push_back(std::move(request));
    return;
  }
  settle(*request, ack_ == Ack::kPrimary);
  give_up(std::move(request));
}

// Only a count is an answer. Without one nobody knows what the replicas have, nor what the primary
// will still be: each of these changes is made once more, and finds itself.
void Lane::on_wait(Connection::Answer&& answer) {
  --waits_;
  std::vector<RequestPtr> held = std::exchange(held_, {});
  const bool counted = answer && answer->is_integer() && answer->integer >= 0;
  const Refusal refusal =
      answer && answer->is_error() ? refusal_of(answer->text) : Refusal::kUnblocked;
  if (counted && answer->integer > 0) ration_.on_enough();
  if (counted && answer->integer == 0) ration_.on_shortfall();
  for (RequestPtr& request : held) {
    request->sent = false;
    if (counted) {
      settle(*request, answer->integer > 0);
    } else if (refusal == Refusal::kNoAccess || refusal == Refusal::kOther) {
      request->lost = true;
      if (!request->is_done()) request->fail(answer->text);
    } else {
      request->lost = true;
    }
    give_up(std::move(request));
  }
  if (answer && !counted && !answer->is_error()) {
    connection_.drop("its answer is none to what was asked");
  }
  if (!queue_.empty()) router_.flush_later();
}

void Lane::settle(Request& request, bool replicated) {
  if (!replicated) ++counters_.unacknowledged;
  if (!request.is_done()) request.settle(replicated);
}

// It has its outcome, or another way is to be found for it.
void Lane::give_up(RequestPtr request) {
  --count_;
  bytes_ -= request->size();
  request->asking = false;
  if (!request->is_done()) router_.on_lost(std::move(request));
}

}  // namespace concur::engine
