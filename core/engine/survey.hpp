#pragma once

#include "base/callback.hpp"
#include "base/clock.hpp"
#include "engine/address.hpp"
#include "engine/connection.hpp"
#include "engine/topology.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace concur::engine {

// Asks some servers at once who owns which slots. Of a cluster the first that knows is believed; of
// servers without cluster mode each says what it is, and just one may be a primary.
class Survey {
 public:
  enum class Mode { kUnknown, kCluster, kSingle };

  // The surroundings must outlive it.
  Survey(const Surroundings& surroundings, const std::vector<Address>& asked);
  Survey(const Survey&) = delete;
  Survey& operator=(const Survey&) = delete;

  // In a turn, often.
  void check_time();
  void flush();

  bool is_over() const { return over_; }
  // Once it is over; without a topology there is a cause.
  Mode mode() const { return mode_; }
  const std::optional<Topology>& topology() const { return topology_; }
  const std::string& cause() const { return cause_; }
  // Several say that they are primaries, without cluster mode.
  bool has_rivals() const { return has_rivals_; }

 private:
  // One of those who are asked.
  struct Witness {
    std::unique_ptr<Connection> connection;
    bool answered = false;  // or never will
    std::optional<Role> role{};
    std::string failure{};
  };

  void ask(Witness& witness);
  void on_slots(Witness& witness, Connection::Answer&& answer);
  void on_role(Witness& witness, Connection::Answer&& answer);
  void on_failed(Witness& witness, std::string cause);
  void conclude_if_all_answered();
  void conclude_single();

  const Surroundings& surroundings_;
  Instant due_;
  Mode mode_ = Mode::kUnknown;  // of the first that said
  bool over_ = false;
  std::vector<std::unique_ptr<Witness>> witnesses_;
  std::optional<Topology> topology_;
  std::string cause_;
  bool has_rivals_ = false;
};

}  // namespace concur::engine
