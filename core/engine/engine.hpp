#pragma once

#include "base/clock.hpp"
#include "base/turn.hpp"
#include "engine/address.hpp"
#include "engine/change.hpp"
#include "engine/connection.hpp"
#include "engine/lane.hpp"
#include "engine/primary.hpp"
#include "engine/request.hpp"
#include "engine/router.hpp"
#include "engine/scan.hpp"
#include "engine/survey.hpp"
#include "engine/topology.hpp"
#include "engine/wire.hpp"

#include <boost/intrusive/list.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace concur::engine {

struct EngineConfig {
  std::vector<Address> seeds;  // at least one
  Login login{};
  std::string prefix;    // of all keys; our own begin with it, too
  Millis timeout{1000};  // nobody waits for a primary for longer
  Ack ack = Ack::kReplica;
};

// What is known of one primary.
struct PrimaryHealth {
  Address address;
  bool up = false;
  std::string trouble;                       // why it is not, or what last was
  std::optional<EngineClock::Bounds> clock;  // its wall clock minus our boot clock
  std::uint64_t clock_steps = 0;             // how often it contradicted itself
  bool short_of_replicas = false;
  std::size_t requests = 0;  // under way
};

struct EngineHealth {
  bool whole = false;   // each slot has an owner, and each owner is up
  std::string trouble;  // of the whole: why nobody knows where to ask
  std::vector<PrimaryHealth> primaries;
};

// The client of the key-value engine: a cluster of Valkey or Redis servers, or one server without
// cluster mode and its replicas. It knows keys, slots, fields and guards, and nothing of what they
// mean.
//
// Each request has exactly one outcome: at its deadline at the latest, or at once, from within the
// call, where its primary is known not to answer. Until then it is tried again, the same to the
// byte, wherever the engine says that it belongs; whether an attempt may have had an effect is part
// of the outcome. What is asked for in a turn leaves at the end of the turn, in one
// write for each connection. For the loop's thread alone.
class Engine final : private Router {
 public:
  // How often tick() is to be called: what has a limit of time may take so much longer.
  static constexpr Millis kTick{25};
  // Between two questions of who owns which slots.
  static constexpr Millis kSurveyPause{250};

  // Connects to nobody before the first tick. All but the config must outlive it.
  Engine(Turn& turn, const Clock& clock, Dialer& dialer, EngineConfig config);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  // What has no outcome yet is dropped uncalled; close() gives it one.
  ~Engine() override;

  void change(const Change& change, Instant deadline, OnChange done);
  // These fields of a hash; all of them where none are named.
  void read(std::string key, std::vector<std::string> fields, Instant deadline, OnRead done);
  // Walks over all keys: begins at the beginning, and goes on with what the outcome calls next,
  // until there is none. A key that is there all the time is seen at least once, also while slots
  // are moved and over a failover. A call may bring no keys, and a failed one can be made again.
  // Where the walk had to begin anew the outcome says so.
  void keys(WalkPosition from, Instant deadline, OnKeys done);

  // Begins a turn of its own.
  void tick();

  // Asks each primary what time it is, so that its clock is known well also where nobody else asks.
  void ask_time(Instant deadline);

  // From now on connections are made as this user.
  void renew(Login login) { surroundings_.login = std::move(login); }
  // Gives all that is under way its outcome.
  void close();

  EngineHealth health() const;
  Counters counters() const;
  // The clock of the key's primary minus our boot clock; none before its first answer.
  std::optional<EngineClock::Bounds> clock_of(std::string_view key) const;

 private:
  using Requests = boost::intrusive::list<Request, boost::intrusive::constant_time_size<false>>;

  struct Known {
    std::unique_ptr<Primary> primary;
    std::optional<Instant> unused_since;
  };

  // --- where requests go ---
  void route(RequestPtr request);
  void park(RequestPtr request);
  void pause(RequestPtr request);
  void send_to(const Address& address, RequestPtr request);
  Primary* primary_at(const Address& address);
  void route_again();
  void reconnect(const Address& address, std::string_view cause);

  // --- Router ---
  void on_refused(RequestPtr request, Refusal refusal, std::string_view error,
                  const Address& from) override;
  void on_redirect(RequestPtr request, Refusal refusal, std::string_view error,
                   const Address& from);
  void on_lost(RequestPtr request) override;
  void flush_later() override { turn_.at(Turn::Stage::kSend, flush_step_); }
  void on_disconnected() override;
  void keys_once_known(WalkPosition from, Instant deadline, OnKeys done);

  // --- time ---
  void check_time();
  void resume_paused(Instant now);
  void end_parked(Instant now);
  void check_survey(Instant now);
  std::vector<Address> whom_to_ask();
  void conclude_survey();
  void adopt(Topology topology);
  void forget_unused(Instant now);
  std::string probe_key(const Address& primary) const;
  void flush();

  Turn& turn_;
  const Clock& clock_;
  EngineConfig config_;
  Surroundings surroundings_;
  OwnStep<&Engine::flush, Engine> flush_step_{*this};
  Counters counters_;

  Survey::Mode mode_ = Survey::Mode::kUnknown;
  Topology topology_;
  std::map<Address, Known> primaries_;
  std::vector<RequestPtr> paused_;  // which belong to a primary, and are tried again a little later
  std::vector<RequestPtr> parked_;  // whose slots have no owner
  Requests parked_list_;            // of those that have no outcome yet, the oldest first
  bool lost_ = false;               // nobody waits for an owner any more: others have, in vain
  std::string trouble_;

  std::unique_ptr<Survey> survey_;
  bool survey_wanted_ = true;
  Instant next_survey_{};
  std::size_t next_asked_ = 0;  // of all that could be
  Scan scan_;
};

}  // namespace concur::engine
