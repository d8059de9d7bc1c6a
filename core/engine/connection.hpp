#pragma once

#include "base/callback.hpp"
#include "base/clock.hpp"
#include "base/turn.hpp"
#include "engine/address.hpp"
#include "engine/login.hpp"
#include "engine/reply.hpp"
#include "engine/scripts.hpp"
#include "engine/wire.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace concur::engine {

// What all connections of an engine share. Whoever has one of these outlives them.
struct Surroundings {
  Turn& turn;
  const Clock& clock;
  Dialer& dialer;
  Login login;
  Millis patience;  // for a connection to be made, the login and the scripts included
};

// A connection to one server, made anew whenever it is lost: commands go out in order, answers come
// back in that order. All that arrives at once is one turn. For the loop's thread alone.
class Connection {
 public:
  enum class Scripts { kNone, kLoaded };
  // None where the connection was lost before it came.
  using Answer = std::optional<Reply>;
  using OnAnswer = Callback<void(Answer&&)>;

  static constexpr Millis kMinRest{50};  // between two attempts; doubled by each that fails
  static constexpr Millis kMaxRest{1000};

  // `ready` and `lost` are called in a turn, `lost` behind the commands that are lost with it; none
  // of them may destroy it. The surroundings must outlive it.
  Connection(const Surroundings& surroundings, Address address, Scripts scripts,
             std::function<void()> ready = {}, std::function<void()> lost = {});
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  // What waits for an answer is dropped uncalled.
  ~Connection() = default;

  // Connects where it is time to, and gives up what takes too long. In a turn, often.
  void check_time();

  // Whether commands can be sent. None of the following may be called before.
  bool is_ready() const { return state_ == State::kReady; }
  void send(std::span<const std::string_view> words, OnAnswer answered);
  // How the server knows the script: it was told when the connection was made.
  const std::string& name_of(Script script) const {
    return names_[static_cast<std::size_t>(script)];
  }
  // Writes what was sent since the last time, in one go, once what was written before is out.
  void flush();

  // Closes it, with all that waits for an answer. A rest follows, as after any failure.
  void drop(std::string cause);

  const Address& address() const { return address_; }
  // Why there is none; empty while all is well.
  const std::string& failure() const { return failure_; }
  // Commands without an answer, and bytes that are not handed to the system yet.
  std::size_t unanswered() const { return pending_.size(); }
  std::size_t unsent() const { return out_.size() + writing_size_; }
  std::uint64_t losses() const { return losses_; }

 private:
  enum class State { kResting, kConnecting, kGreeting, kReady };

  void connect(Instant now);
  void on_connected(std::string failure);
  void greet_all();
  void greet(std::span<const std::string_view> words, std::string* name);
  void on_greeted(const Answer& answer, std::string* name);
  void become_ready();
  void append(std::span<const std::string_view> words, OnAnswer answered);
  void read();
  void on_read(std::string failure, std::string_view bytes);
  void take_answers();
  void write();
  void on_written(std::string failure);

  const Surroundings& surroundings_;
  Address address_;
  Scripts scripts_;
  std::function<void()> on_ready_;
  std::function<void()> on_lost_;

  State state_ = State::kResting;
  Instant due_{};  // of the next attempt, or the end of the patience with this one
  Millis rest_ = kMinRest;
  std::unique_ptr<Wire> wire_;
  std::unique_ptr<ReplyReader> reader_;  // as long as there is a wire
  std::array<std::string, kScripts> names_;
  std::size_t greetings_ = 0;  // whose answers are still to come before it is ready
  std::deque<OnAnswer> pending_;
  std::string out_;
  std::size_t writing_size_ = 0;
  std::string failure_;
  std::uint64_t losses_ = 0;
};

}  // namespace concur::engine
