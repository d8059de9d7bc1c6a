#include "run_session.hpp"

#include "ask.hpp"
#include "base/text.hpp"
#include "child.hpp"
#include "output.hpp"
#include "session_events.hpp"
#include "session_keeper.hpp"
#include "signals.hpp"

#include <poll.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace concur::cli {

namespace {

constexpr Millis kTimeToEnd{10'000};
constexpr Millis kSignalToAll{100};
constexpr int kCannotRun = 126;
constexpr int kNotFound = 127;

// Can be read once the boot clock is there: waking from suspend it is at once, where it should have
// been meanwhile.
class Alarm {
 public:
  Alarm() : fd_(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)) {}

  void set(Instant at) const {
    using namespace std::chrono;
    const auto since_boot = at.time_since_epoch();
    const auto whole = floor<seconds>(since_boot);
    itimerspec spec{};
    spec.it_value.tv_sec = whole.count();
    spec.it_value.tv_nsec = nanoseconds(since_boot - whole).count();
    ::timerfd_settime(fd_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
  }

  int fd() const { return fd_.get(); }

 private:
  Fd fd_;
};

class Runner {
 public:
  Runner(Client& client, std::vector<std::string> sockets, const Run& run, Signals signals)
      : client_(client),
        run_(run),
        signals_(std::move(signals)),
        keeper_(client, run.start),
        events_(std::move(sockets), run.start.name) {
    client_.look_after(signals_.fd(), [this] { return take_signals(); });
  }
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;
  ~Runner() { client_.look_after(-1, nullptr); }

  Result<int> run() {
    events_.connect();
    const auto answer = keeper_.start();
    take_signals();
    if (stop_signal_ != 0) stop();
    if (keeper_.state() != SessionKeeper::State::kHeld) {
      const bool allow = run_.if_unavailable == IfUnavailable::kAllow;
      if (!allow || !SessionKeeper::is_unavailable(answer)) return refuse(answer);
      complain(text::format("{}{}; running the command without a session (--if-unavailable allow)",
                            answer ? "cannot start: " : "", SessionKeeper::cause_of(answer)));
      keeper_.go_on_without();
    }
    auto child = Child::spawn(run_.command, signals_);
    if (!child) {
      end_session();
      complain(child.error().message);
      return child.error().kind == ErrorKind::kAbsent ? kNotFound : kCannotRun;
    }
    child_ = *child;
    supervise();
    end_session();
    return exit_status();
  }

 private:
  // Between the start and the command a signal means what it means to any process.
  [[noreturn]] void stop() {
    end_session();
    die_of(stop_signal_);
  }

  Result<int> refuse(const Result<HttpAnswer>& answer) {
    end_session();
    if (!answer) return answer.error();
    const auto code = pass_on(Start::kVerb, *answer, false);
    if (!code) return code.error();
    return static_cast<int>(*code);
  }

  // What came is forwarded. False where there is nothing more to ask the daemon for.
  bool take_signals() {
    while (const auto info = signals_.next()) {
      const int signal = static_cast<int>(info->ssi_signo);
      if (signal == SIGCHLD) {
        if (child_) child_->reap();
      } else if (child_) {
        child_->forward(*info);
      } else {
        stop_signal_ = signal;
      }
    }
    return finishing_ || (child_ ? child_->running() : stop_signal_ == 0);
  }

  void supervise() {
    while (child_->running()) {
      if (!end_code_ && holds_session()) events_.connect();
      alarm_.set(next_alarm());
      pollfd entries[] = {
          {.fd = signals_.fd(), .events = POLLIN, .revents = 0},
          {.fd = alarm_.fd(), .events = POLLIN, .revents = 0},
          {.fd = end_code_ ? -1 : events_.fd(), .events = events_.events(), .revents = 0}};
      ::poll(entries, 3, -1);
      if (!take_signals()) continue;
      const bool gone = entries[2].revents != 0 && events_.advance() && holds_session();
      const Instant now = SystemClock().now().instant;
      if (end_code_ && now >= kill_at_) {
        child_->send_to_all(SIGKILL);
        kill_at_ += kTimeToEnd;
      } else if (!end_code_ && (gone || now >= keeper_.due())) {
        keeper_.tick();
        judge();
      }
    }
  }

  // Or may hold one: where the lease ran out in an outage, the daemon may have kept the session.
  bool holds_session() const {
    return keeper_.state() == SessionKeeper::State::kHeld ||
           keeper_.state() == SessionKeeper::State::kLapsed;
  }

  Instant next_alarm() const {
    if (end_code_) return kill_at_;
    const auto connect_at = holds_session() ? events_.due() : std::nullopt;
    return std::min(keeper_.due(), connect_at.value_or(keeper_.due()));
  }

  // Whether the command may go on after what the daemon said, or did not say.
  void judge() {
    if (keeper_.state() == SessionKeeper::State::kGone) {
      end_command(ExitCode::kNoSession);
    } else if (keeper_.state() == SessionKeeper::State::kLapsed &&
               run_.if_unavailable == IfUnavailable::kDeny) {
      complain(
          "cannot heartbeat: no answer within the lease; ending the command "
          "(--if-unavailable deny)");
      end_command(ExitCode::kNoAnswer);
    }
  }

  void end_command(ExitCode code) {
    end_code_ = code;
    kill_at_ = SystemClock().now().instant + kTimeToEnd;
    child_->send_to_all(SIGTERM);
    child_->send_to_all(SIGCONT);  // one that is stopped could not end
  }

  void end_session() {
    finishing_ = true;
    keeper_.end();
  }

  // Of the signal that was sent to concur and ended the command concur dies, too: a service manager
  // sees a clean stop, and a shell whose user pressed Ctrl-C ends its script.
  int exit_status() {
    if (end_code_) return static_cast<int>(*end_code_);
    const int status = child_->status();
    if (!WIFSIGNALED(status)) return WEXITSTATUS(status);
    const int signal = WTERMSIG(status);
    if (was_sent(signal)) die_of(signal);
    return 128 + signal;
  }

  // Whoever sends a signal to all processes of a service may have reached the command first.
  bool was_sent(int signal) {
    const Deadline until = std::chrono::steady_clock::now() + kSignalToAll;
    while (signals_.takes(signal) && !signals_.received(signal)) {
      const Millis left = left_until(until);
      if (left.count() == 0) return false;
      pollfd entry{.fd = signals_.fd(), .events = POLLIN, .revents = 0};
      ::poll(&entry, 1, static_cast<int>(left.count()));
      take_signals();
    }
    return signals_.received(signal);
  }

  Client& client_;
  const Run& run_;
  Signals signals_;
  SessionKeeper keeper_;
  SessionEvents events_;
  Alarm alarm_;
  std::optional<Child> child_;
  int stop_signal_ = 0;               // came before the command ran
  bool finishing_ = false;            // only the session's end is left to ask for
  std::optional<ExitCode> end_code_;  // set once the command is being ended
  Instant kill_at_;
};

}  // namespace

Result<int> run_session(Client& client, std::vector<std::string> sockets, const Run& run) {
  auto signals = Signals::take();
  if (!signals) return std::move(signals).error();
  return Runner(client, std::move(sockets), run, std::move(*signals)).run();
}

}  // namespace concur::cli
