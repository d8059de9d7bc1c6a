#pragma once

#include "base/clock.hpp"
#include "base/turn.hpp"
#include "service/counts.hpp"
#include "service/event_log.hpp"
#include "service/kept_command.hpp"
#include "service/service.hpp"

#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace concur {

// Lets starts wait for room, above a service that decides, whichever it is: one that is denied is
// asked again at each change of its user that may make room, first come, first served, and in
// between where a lease may run out. The rules know nothing of it: whoever fits is let in as any
// start is, and of what is asked again nothing is recorded but the last denial. While nobody waits
// it passes all on. For the loop thread alone.
//
// Whoever comes later does not overtake: a start of a user for whom others wait is decided behind
// them. Where the service denies later, as a fleet's does, it may overtake those who are being
// asked at that moment.
class WaitingService final : public Service {
 public:
  static constexpr std::size_t kMaxOfUser = 16;
  // They and the streams of events leave connections for others.
  static constexpr std::size_t kMaxInAll = 512;

  // Whether all that may make room is seen here, or others make room, too, as the boxes of a fleet.
  enum class Scope { kAlone, kShared };

  // All must outlive it, and it the last answer of the service, which publishes to that log.
  WaitingService(Service& service, EventLog& events, Turn& turn, const Clock& clock, Scope scope);
  WaitingService(const WaitingService&) = delete;
  WaitingService& operator=(const WaitingService&) = delete;
  ~WaitingService() override { events_.set_listener(nullptr); }

  void submit(const Command& command, const Now& now, Reply reply) override;
  Place submit_waiting(const Start& start, Millis wait, const Now& now, Reply reply) override;
  void leave(Place place) override;
  void configure(const ServiceConfig& config) override;
  ServiceStatus status() const override;

  // The daemon stops: whoever waits is answered as if the time was over, and nobody waits any more.
  void drain();

  // Does what is due by the clock; called by its timer.
  void look();

  void when_ready(Callback<void()> ready) override { service_.when_ready(std::move(ready)); }
  void prefetch(std::string_view user) override { service_.prefetch(user); }
  void report(const ReportQuery& query, ReportReply reply) override {
    service_.report(query, std::move(reply));
  }
  void backup(BackupReply reply) override { service_.backup(std::move(reply)); }
  void backup_local(BackupReply reply) override { service_.backup_local(std::move(reply)); }
  void check_fleet(CheckReply reply) override { service_.check_fleet(std::move(reply)); }
  const std::string& trouble() const override { return service_.trouble(); }
  void finish(Callback<void()> done) override { service_.finish(std::move(done)); }

 private:
  // A start that was asked, and waits where it was denied.
  struct Waiter {
    KeptCommand start;
    Reply reply;
    Instant since;
    Instant until;
    Millis waited{};          // when it was asked last
    bool asked = false;       // an answer is to come
    bool asks_again = false;  // once it has: something changed meanwhile
    bool over = false;        // its time is
    bool last_asked = false;  // the answer that is to come is the last
    bool gone = false;        // whoever it is for
    bool waits = false;       // it was denied, and has its place
    Denied denied{};          // why, without the sessions

    const Start& command() const { return std::get<Start>(start.get()); }
  };
  using Waiters = std::map<Place, Waiter>;  // in the order in which they came

  // Of one user.
  struct Queue {
    std::vector<Place> places;     // in that order
    std::size_t waiting = 0;       // of them, those who were denied
    Instant due = Instant::max();  // when they are to be asked again, though nothing changed
    bool changed = false;
  };
  using Queues = std::map<std::string, Queue, std::less<>>;

  enum class Outcome { kStarted, kDenied, kLeft, kFailed };

  void submit_beside(const Command& command, const Now& now, Reply reply);
  void ask_all(std::string_view user, const Now& now);
  void ask(Waiters::iterator waiter, const Now& now);
  void end_wait(Place place, const Now& now);
  void end_waits_of(const End& end, const Now& now);
  void on_answer(Place place, Result<Answer>&& answer);
  void on_denied(Waiters::iterator waiter, Denied&& denied, const Now& now);
  void stay(Waiters::iterator waiter, Millis ask_in, const Now& now);
  void give(Waiters::iterator waiter, Result<Answer>&& answer, const Now& now);
  bool begin_wait(Waiter& waiter, const Now& now);
  void remove(const Waiter& waiter, Place place);
  void count(Outcome outcome, Millis waited);
  void publish(EventKind kind, const Waiter& waiter, const Now& now);

  void on_event(const Event& event);
  void ask_changed();
  void ask_by(std::string_view user, Instant at, Instant now);
  void wake_at(Instant at, Instant now);
  void wake_for_next(Instant now);
  Millis pause();

  Service& service_;
  EventLog& events_;
  Turn& turn_;
  const Clock& clock_;
  Scope scope_;
  Waiters waiters_;
  Queues queues_;
  Place last_place_ = kNoPlace;
  std::uint64_t waiting_ = 0;  // of the waiters, those who were denied
  WaitCounts counts_;
  bool draining_ = false;
  OwnStep<&WaitingService::ask_changed, WaitingService> changed_step_{*this};
  boost::asio::steady_timer timer_;
  Instant wakes_at_ = Instant::max();
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace concur
