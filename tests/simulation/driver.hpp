#pragma once

#include "machine.hpp"
#include "model.hpp"
#include "random.hpp"
#include "tally.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace concur::simulation {

inline const std::vector<std::string> kUsers{"u0", "u1", "u2", "u3", "u4"};

// For so long after commits failed a lease may not be saved yet.
inline constexpr Millis kTroubled = std::chrono::seconds(15);

// What the service did and should not have done.
struct Mismatch : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// One seed's run: does random things to the service and holds each answer against the model's.
class Driver {
 public:
  // With `overlaps`, starts that are one too many are let in for a while, too.
  Driver(std::uint64_t seed, bool overlaps);

  // Throws Mismatch.
  void step();

  std::uint64_t steps() const { return step_; }
  const std::map<std::string, std::uint64_t>& met() const { return met_; }
  // The latest, for people.
  const std::deque<std::string>& trace() const { return trace_; }

 private:
  struct Asked {
    std::string command;
    Model::Given given;
    std::optional<std::string> user{};  // none: it concerns all
    std::optional<Millis> ttl{};        // that it asks for
    bool is_active = false;             // its session, after it
    bool start_is_unsure = false;       // the session's latest, if it is granted
    bool answered = false;
  };
  // A token, and what the model has for it.
  struct Token {
    StartToken real;
    StartToken model;
  };
  // Of one session, as far as they were told: by the model's counts.
  struct Tokens {
    std::string user;
    std::string session;
    std::map<std::uint32_t, StartToken> starts;
  };
  // What the record of who shares has of a user: at least what a report told and what was answered
  // since, at most what was decided.
  struct Recorded {
    Tally told;
    Tally answered;
    Tally most;
  };

  // commands
  Command any_command();
  OnLimit any_on_limit();
  Start any_start();
  Command any_operator_command();
  Id user();
  Id session();

  // asking
  void turn();
  void ask(const Command& command) { ask(command, command); }
  void ask(const Command& command, const Command& to_model);
  void hear(Asked& asked, const Result<Answer>& answer);
  void compare(Asked& asked, const Answer& answer);
  bool is_active(const Command& command) const;
  void check_order(const Asked& asked);

  // tokens
  void add_token(Command& command, Command& to_model);
  std::optional<Token> any_token(const std::string& user, const std::string& session);
  bool is_clear(const Token& token, const std::optional<Model::Latest>& latest);
  void hear_token(const Asked& asked, const Granted& granted);
  void learn_token(const Token& token, const Granted& granted);
  void forget_tokens_of_refused();
  void forget_starts();

  void check_events(bool all_answered);
  void look_at_everything();
  void read_report();
  void forget_recorded();
  void check_all_answered();

  // what happens to it
  void arm();
  void lie();
  void pass_time();
  void wait_for_lease();
  void wait_for_hold_off();
  void wait_for_overlap();
  void change_policy();
  void restart();
  void start();
  void reboot();
  void recover();
  void play_on_ruins();
  void check_on_ruins(const Answer& answer);
  void check_recovered();
  bool matches(const Model::State& state, Model::State& found, std::string& why);
  bool match_gone(const std::string& name, Model::User& who, std::string& why);
  bool match_sessions(const Model::State& state, const std::string& name, Model::User& who,
                      std::string& why);
  const Machine::Gone* find_refusal(const std::string& name, const Model::Session& session);
  Model::Gone gone_by_refusal(const Model::Session& session);
  bool match_refusal(const Model::State& state, const std::string& name, Model::Session& session,
                     const Machine::Gone* refusal, std::string& why);
  bool match_overlap(const Model::State& state, const std::string& name, Model::Session& session,
                     const SessionInfo* found, std::string& why);
  bool match_hold_offs(const std::string& name, Model::User& who, std::string& why);
  bool match_block(const std::string& name, Model::User& who, std::string& why);
  bool match_limits(const Model::State& found, std::string& why);
  bool match_leases(const Model::State& found, std::string& why);
  Model::Lease found_lease(const std::string& user, const std::string& session);
  const char* wrong_lease(const Model::Session& session, const Model::Lease& told,
                          const Model::Lease& found);
  void adopt_leases();
  void note_trouble();
  bool was_swept(Instant over) const;

  void note(std::string line);
  [[noreturn]] void fail(const std::string& what) const;

  Random random_;
  Machine machine_;
  Model model_;
  Policy policy_;
  std::uint64_t step_ = 0;
  bool was_clean_ = false;  // the last stop
  bool rebooted_ = false;   // since the last stop, as far as the service can tell
  bool cut_armed_ = false;
  bool lies_ = false;                          // the disk, now
  bool lied_ = false;                          // until the power went
  Now stopped_;                                // when the service was last seen to run
  Instant started_;                            // when it was last started
  Instant trouble_;                            // when commits last did not work
  std::vector<std::shared_ptr<Asked>> asked_;  // in this turn
  std::map<std::string, std::vector<SessionInfo>> found_;
  std::map<std::string, std::vector<Machine::HoldOff>> found_hold_offs_;
  std::map<std::string, std::vector<Machine::Gone>> found_gone_;
  std::map<std::uint64_t, Tokens> tokens_;  // by the model's ids
  Tally answered_;                          // since it was started
  Tally events_;
  std::uint64_t events_read_ = 0;
  std::map<std::string, Recorded> recorded_;
  std::deque<std::string> trace_;
  std::map<std::string, std::uint64_t> met_;
};

}  // namespace concur::simulation
