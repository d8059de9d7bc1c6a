#include "run_session.hpp"

#include "ask.hpp"
#include "base/text.hpp"
#include "child.hpp"
#include "output.hpp"
#include "session_keeper.hpp"
#include "signals.hpp"

#include <poll.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include <optional>

namespace concur::cli {

namespace {

constexpr Millis kTimeToEnd{10'000};
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
  Runner(Client& client, const Run& run, Signals signals)
      : client_(client), run_(run), signals_(std::move(signals)), keeper_(client, run.start) {
    client_.look_after(signals_.fd(), [this] { return take_signals(); });
  }
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;
  ~Runner() { client_.look_after(-1, nullptr); }

  Result<int> run() {
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
        if (signal == SIGINT && info->ssi_code == SI_KERNEL) interrupted_ = true;
      } else {
        stop_signal_ = signal;
      }
    }
    return finishing_ || (child_ ? child_->running() : stop_signal_ == 0);
  }

  void supervise() {
    while (child_->running()) {
      alarm_.set(end_code_ ? kill_at_ : keeper_.due());
      pollfd entries[] = {{.fd = signals_.fd(), .events = POLLIN, .revents = 0},
                          {.fd = alarm_.fd(), .events = POLLIN, .revents = 0}};
      ::poll(entries, 2, -1);
      const bool due = entries[1].revents != 0;
      if (!take_signals() || !due) continue;
      if (end_code_) {
        child_->send_to_all(SIGKILL);
        kill_at_ += kTimeToEnd;
      } else {
        keeper_.tick();
        judge();
      }
    }
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

  int exit_status() const {
    if (end_code_) return static_cast<int>(*end_code_);
    const int status = child_->status();
    if (!WIFSIGNALED(status)) return WEXITSTATUS(status);
    // A shell whose user pressed Ctrl-C ends its script only where the command died of it.
    if (interrupted_ && WTERMSIG(status) == SIGINT) die_of(SIGINT);
    return 128 + WTERMSIG(status);
  }

  Client& client_;
  const Run& run_;
  Signals signals_;
  SessionKeeper keeper_;
  Alarm alarm_;
  std::optional<Child> child_;
  int stop_signal_ = 0;               // came before the command ran
  bool interrupted_ = false;          // by the terminal
  bool finishing_ = false;            // only the session's end is left to ask for
  std::optional<ExitCode> end_code_;  // set once the command is being ended
  Instant kill_at_;
};

}  // namespace

Result<int> run_session(Client& client, const Run& run) {
  auto signals = Signals::take();
  if (!signals) return std::move(signals).error();
  return Runner(client, run, std::move(*signals)).run();
}

}  // namespace concur::cli
