#pragma once

#include "base/callback.hpp"
#include "base/clock.hpp"
#include "base/turn.hpp"
#include "engine/connection.hpp"
#include "engine/login.hpp"
#include "engine/topology.hpp"
#include "engine/wire.hpp"
#include "fleet/fleet_facts.hpp"
#include "fleet/witness.hpp"
#include "service/service.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace concur {

// Asks each server of an engine, those that the seeds name and those that they name in turn, what a
// check rests on. It reads, and tries what a box must be able to do with a key of its own that
// lapses. For the loop's thread alone.
class Inspection {
 public:
  // In all, and for each connection to be made: whoever asks waits for no longer than people do.
  static constexpr Millis kPatience{4000};
  static constexpr Millis kConnectPatience{2000};
  static constexpr std::size_t kMaxServers = 256;

  // Asks nobody before the first check_time(). `config` says whom, and how they are to be; the
  // references must outlive it.
  Inspection(Turn& turn, const Clock& clock, engine::Dialer& dialer, engine::Login login,
             FleetConfig config);
  Inspection(const Inspection&) = delete;
  Inspection& operator=(const Inspection&) = delete;

  // In a turn, often.
  void check_time();

  bool is_over() const { return over_; }
  // Once it is over.
  FleetFacts take_facts();

 private:
  void add(const engine::Address& address, bool is_seed);
  void add_others(const Witness& witness);

  engine::Surroundings surroundings_;
  FleetConfig config_;
  Instant due_;
  bool over_ = false;
  std::vector<std::unique_ptr<Witness>> witnesses_;
};

// One inspection after the other, for a service.
class FleetChecker {
 public:
  // All must outlive it. Whoever waits when it is destroyed is not answered; stop() answers them.
  FleetChecker(boost::asio::io_context& loop, Turn& turn, const Clock& clock,
               engine::Dialer& dialer);
  FleetChecker(const FleetChecker&) = delete;
  FleetChecker& operator=(const FleetChecker&) = delete;

  // As Service::check_fleet(). `boxes`: this one first, and the others as far as they are known.
  void check(const FleetConfig& config, const engine::Login& login,
             std::vector<FleetStatus::Box> boxes, Service::CheckReply reply);
  // Answers who waits that the daemon stops.
  void stop();

 private:
  void tick();
  void conclude();

  Turn& turn_;
  const Clock& clock_;
  engine::Dialer& dialer_;
  boost::asio::steady_timer timer_;
  std::unique_ptr<Inspection> inspection_;
  std::vector<FleetStatus::Box> boxes_;
  std::optional<Service::CheckReply> reply_;
};

}  // namespace concur
