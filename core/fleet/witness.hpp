#pragma once

#include "base/clock.hpp"
#include "engine/connection.hpp"
#include "engine/topology.hpp"
#include "fleet/fleet_facts.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace concur {

// Asks one server what it is like, over a connection of its own, which is tried once. First what it
// says of itself; then, where it is a primary, what a box does with it is tried.
class Witness {
 public:
  // The surroundings must outlive it. `name` is the fleet's.
  Witness(const engine::Surroundings& surroundings, std::string_view name,
          const engine::Address& address, bool is_seed);
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;

  // In a turn, often.
  void check_time();
  // It has had its time.
  void give_up();

  bool is_over() const { return over_; }
  // Of the cluster, where it is in one and says so.
  const std::optional<engine::Topology>& topology() const { return topology_; }
  // The others of the cluster, those that are away among them.
  const std::vector<engine::Address>& nodes() const { return nodes_; }
  // Which process it is: two names may be one server's. Empty where it does not say.
  std::string_view run_id() const;

  ServerFacts& facts() { return facts_; }
  const ServerFacts& facts() const { return facts_; }

 private:
  using Words = std::vector<std::string_view>;
  // Takes an answer that is no error.
  using Take = void (Witness::*)(engine::Reply& reply);
  // What it is to be able to do that.
  enum class Need { kMust, kMay };

  void ask(const Words& words, std::string command, Need need, Take take);
  void on_answer(const std::string& command, Need need, Take take,
                 engine::Connection::Answer&& answer);
  void on_error(const std::string& command, Need need, const std::string& error);
  void ask_all();
  void try_all();
  void end();

  void take_info(engine::Reply& reply);
  void take_role(engine::Reply& reply);
  void take_time(engine::Reply& reply);
  void take_config(engine::Reply& reply);
  void take_cluster(engine::Reply& reply);
  void take_nodes(engine::Reply& reply);
  void take_slots(engine::Reply& reply);
  void take_user(engine::Reply& reply);
  void take_script(engine::Reply& reply);
  void take_nothing(engine::Reply& /*reply*/) {}

  const engine::Surroundings& surroundings_;
  std::string name_;
  ServerFacts facts_;
  engine::Connection connection_;
  std::optional<engine::Topology> topology_;
  std::vector<engine::Address> nodes_;
  std::string script_;  // how it is known there
  std::string probe_key_;
  Instant asked_{};
  std::size_t waiting_ = 0;  // for answers
  bool tried_ = false;
  bool over_ = false;
};

}  // namespace concur
