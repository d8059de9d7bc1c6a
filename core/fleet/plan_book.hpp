#pragma once

#include "base/callback.hpp"
#include "base/clock.hpp"
#include "engine/engine.hpp"
#include "fleet/user_fields.hpp"
#include "service/service.hpp"
#include "session/judge.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace concur {

// The fleet's plans: one hash of the engine, and this box's copy of it, which is at most two
// seconds old while the engine answers. For the loop's thread alone.
class PlanBook {
 public:
  static constexpr Millis kLookAgain{1900};

  // All must outlive it. `store` is told what this box stores of them.
  PlanBook(engine::Engine& engine, Judge& judge, const Clock& clock, const std::string& prefix,
           Millis timeout, std::function<void(Change&&)> store);

  // As this box stored it.
  void restore(const PlanRow& row) { known_.push_back(row); }
  // Once all are restored.
  void begin();

  // To be called often: reads them anew where it is time to.
  void tick();
  // Reads them anew now; `then` is called whether that worked or not.
  void look(Callback<void()> then);

  const std::vector<PlanRow>& plans() const { return known_; }  // by name
  const PlanRow* find(std::string_view plan) const;
  // Whether the engine was asked, and has it.
  bool find_in_engine(std::string_view plan) const { return has_looked_ && find(plan) != nullptr; }

  // Sets a plan, or takes it away; `done` is called once the engine has it and this box knows it.
  void put(const PlanRow& plan, Callback<void(Result<void>), 120> done);
  void drop(std::string_view plan, Callback<void(Result<void>), 120> done);

 private:
  void change(engine::Fields fields, Callback<void(Result<void>), 120> done);
  void take(const engine::Fields& fields);

  engine::Engine& engine_;
  Judge& judge_;
  const Clock& clock_;
  std::string key_;
  Millis timeout_;
  std::function<void(Change&&)> store_;
  std::vector<PlanRow> known_;
  Instant next_look_{};
  bool looking_ = false;
  bool has_looked_ = false;
};

}  // namespace concur
