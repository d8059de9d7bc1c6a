#include "watch_exec.hpp"

#include "answer_values.hpp"
#include "ask.hpp"
#include "base/text.hpp"
#include "event_feed.hpp"
#include "event_runner.hpp"
#include "output.hpp"
#include "signals.hpp"
#include "watch_state.hpp"

#include <poll.h>

#include <algorithm>
#include <utility>

namespace concur::cli {

namespace {

constexpr Millis kTimeToEnd{10'000};  // for the command, at the stop
constexpr Millis kSaveEvery{1000};    // what needed no command

Instant now() { return SystemClock().now().instant; }

// Keeps the state file behind what is done. That it cannot be written is said once, and stops
// nothing: what the command is there for goes before not doing it twice.
class Keeper {
 public:
  Keeper(std::optional<std::string> path, EventMark saved) : saved_(std::move(saved)) {
    if (path) state_.emplace(std::move(*path));
  }

  void save(const EventMark& done) {
    if (!state_ || done == saved_) return;
    saved_at_ = now();
    const auto written = state_->save(done);
    if (written) saved_ = done;
    if (!written && !failing_) {
      complain(text::format("{}; what is done now may be done again", written.error().message));
    }
    failing_ = !written;
  }

  void save_sometimes(const EventMark& done) {
    if (const auto at = due(done); at && now() >= *at) save(done);
  }

  std::optional<Instant> due(const EventMark& done) const {
    if (!state_ || done == saved_) return std::nullopt;
    return saved_at_ + kSaveEvery;
  }

 private:
  std::optional<WatchState> state_;
  EventMark saved_;
  Instant saved_at_;
  bool failing_ = false;
};

// Where to begin: behind what the state file says is done, else where --since or the daemon says.
class Begin {
 public:
  Begin(Client& client, const Watch& watch) : client_(client), watch_(watch) {}

  // Nothing where the daemon answered something else, which is passed on: the exit code then.
  Result<std::optional<EventMark>> mark() {
    std::optional<EventMark> mark;
    if (watch_.exec.state) {
      auto loaded = WatchState(*watch_.exec.state).load();
      if (!loaded) return std::move(loaded).error();
      mark = std::move(*loaded);
    }
    const auto answer = ask(client_, Watch::kVerb, {"GET", "/v1/status", {}});
    if (!answer) return answer.error();
    if (answer->status != 200) return refused(*answer);
    if (mark) return mark;
    auto last = last_of(answer->body);
    if (!last) return std::move(last).error();
    if (watch_.since) last->seq = *watch_.since;
    if (watch_.exec.state) {
      auto saved = WatchState(*watch_.exec.state).save(*last);
      if (!saved && saved.error().kind != ErrorKind::kUnavailable) return std::move(saved).error();
    }
    return std::optional<EventMark>(std::move(*last));
  }

  std::optional<ExitCode> code() const { return code_; }

 private:
  Result<std::optional<EventMark>> refused(const HttpAnswer& answer) {
    const auto code = pass_on(Watch::kVerb, answer, false);
    if (!code) return code.error();
    code_ = *code;
    return std::optional<EventMark>();
  }

  static Result<EventMark> last_of(const std::string& status) {
    const auto members = read_object(status);
    const auto* events = members ? object_of(*members, "events") : nullptr;
    auto boot = events != nullptr ? text_of(*events, "boot") : std::nullopt;
    if (!boot) {
      return Error{ErrorKind::kUnsupported,
                   "cannot watch with --exec: the daemon is older than this command; restart it"};
    }
    return EventMark{std::move(*boot), count_of(*events, "seq")};
  }

  Client& client_;
  const Watch& watch_;
  std::optional<ExitCode> code_;
};

class ExecWatcher {
 public:
  ExecWatcher(std::vector<std::string> sockets, const Watch& watch, Signals& signals,
              const EventMark& from)
      : signals_(signals),
        feed_(std::move(sockets), watch, from),
        runner_(watch.exec, signals, from),
        keeper_(watch.exec.state, from) {}

  Result<ExitCode> run() {
    for (;;) {
      take_signals();
      if (stop_signal_ != 0 && !runner_.running()) break;
      runner_.run_next(now());
      keeper_.save_sometimes(runner_.done());
      if (stop_signal_ == 0 && !runner_.full()) feed_.connect();
      if (wait()) {
        if (auto taken = take_events(); !taken) return std::move(taken).error();
      }
      if (feed_.refusal()) return pass_on(Watch::kVerb, *feed_.refusal(), false);
      if (kill_at_ && now() >= *kill_at_ && runner_.running()) {
        runner_.kill();
        kill_at_ = now() + kTimeToEnd;
      }
    }
    keeper_.save(runner_.done());
    if (stop_signal_ != SIGINT && stop_signal_ != SIGTERM) die_of(stop_signal_);
    return ExitCode::kDone;
  }

 private:
  // The first signal lets the command end, for some time; another does not.
  void take_signals() {
    while (const auto info = signals_.next()) {
      const int signal = static_cast<int>(info->ssi_signo);
      if (signal == SIGCHLD) {
        runner_.reap(now());
        keeper_.save(runner_.done());
      } else {
        kill_at_ = stop_signal_ == 0 ? now() + kTimeToEnd : now();
        if (stop_signal_ == 0) stop_signal_ = signal;
        runner_.stop();
      }
    }
  }

  // Whether there is something of the feed's.
  bool wait() {
    const bool reads = stop_signal_ == 0 && !runner_.full();
    pollfd entries[] = {{.fd = signals_.fd(), .events = POLLIN, .revents = 0},
                        {.fd = reads ? feed_.fd() : -1, .events = feed_.events(), .revents = 0}};
    ::poll(entries, 2, time_to_wait(reads));
    return entries[1].revents != 0;
  }

  // In milliseconds, as poll(2) takes it.
  int time_to_wait(bool reads) const {
    std::optional<Instant> until = runner_.due();
    for (const auto& other :
         {keeper_.due(runner_.done()), kill_at_, reads ? feed_.due() : std::optional<Instant>()}) {
      if (other && (!until || *other < *until)) until = other;
    }
    if (!until) return -1;
    constexpr Millis kLongest{60'000};
    return static_cast<int>(std::clamp(*until - now(), Millis(0), kLongest).count());
  }

  Result<void> take_events() {
    auto seen = feed_.advance();
    if (!seen) return std::move(seen).error();
    for (SeenEvent& event : *seen) {
      if (event.name == "dropped") say_what_is_missing(event);
      runner_.push(std::move(event));
    }
    return {};
  }

  static void say_what_is_missing(const SeenEvent& event) {
    const auto members = read_object(event.line);
    if (members && members->contains("restarted")) {
      complain(
          "the daemon has started anew: what it did at the end of its life before, and was not "
          "read, is not known");
    }
    if (const auto missed = members ? count_of(*members, "missed") : 0; missed > 0) {
      complain(text::format("the daemon does not keep {} events any more: they are lost", missed));
    }
  }

  Signals& signals_;
  EventFeed feed_;
  EventRunner runner_;
  Keeper keeper_;
  int stop_signal_ = 0;
  std::optional<Instant> kill_at_;
};

}  // namespace

Result<ExitCode> run_watch_exec(Client& client, std::vector<std::string> sockets,
                                const Watch& watch) {
  auto signals = Signals::take();
  if (!signals) return std::move(signals).error();
  int stopped_by = 0;
  client.look_after(signals->fd(), [&signals, &stopped_by] {
    while (const auto info = signals->next()) {
      if (info->ssi_signo != SIGCHLD) stopped_by = static_cast<int>(info->ssi_signo);
    }
    return stopped_by == 0;
  });
  Begin begin(client, watch);
  const auto mark = begin.mark();
  client.look_after(-1, nullptr);
  if (stopped_by == SIGINT || stopped_by == SIGTERM) return ExitCode::kDone;
  if (stopped_by != 0) die_of(stopped_by);
  if (!mark) return mark.error();
  if (!*mark) return *begin.code();
  client.disconnect();
  return ExecWatcher(std::move(sockets), watch, *signals, **mark).run();
}

}  // namespace concur::cli
