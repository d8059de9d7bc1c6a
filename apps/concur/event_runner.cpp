#include "event_runner.hpp"

#include "base/fd.hpp"
#include "base/human.hpp"
#include "base/text.hpp"
#include "output.hpp"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace concur::cli {

namespace {

// What the command reads as its standard input: a file in memory, so that a command that does not
// read it, or not all of it, is waited for by nobody.
Fd input_of(const std::string& line) {
  Fd file(::memfd_create("event", MFD_CLOEXEC));
  const std::string text = line + "\n";
  if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::lseek(file.get(), 0, SEEK_SET) != 0) {
    return Fd();
  }
  return file;
}

std::string cause_of(int status) {
  if (WIFSIGNALED(status)) {
    return text::format("the command was ended by signal {}", WTERMSIG(status));
  }
  return text::format("the command exited with {}", WEXITSTATUS(status));
}

}  // namespace

EventRunner::EventRunner(const Exec& exec, const Signals& signals, EventMark from)
    : exec_(exec), signals_(signals), done_(from), read_(std::move(from)) {
  if (exec_.at_most) at_most_.emplace(*exec_.at_most);
}

bool EventRunner::wanted(const SeenEvent& event) const {
  return exec_.events.empty() ||
         std::find(exec_.events.begin(), exec_.events.end(), event.name) != exec_.events.end();
}

void EventRunner::push(SeenEvent event) {
  const bool is_wanted = wanted(event);
  if (queue_.empty()) done_ = is_wanted ? read_ : event.mark;
  read_ = event.mark;
  if (!is_wanted) return;
  waiting_ += sizeof event + event.line.size();
  queue_.push_back(std::move(event));
}

void EventRunner::run_next(Instant now) {
  while (!child_ && !queue_.empty() && !stopping_) {
    const SeenEvent& event = queue_.front();
    if (retry_at_ && now < *retry_at_) return;
    if (!tried_ && at_most_ && !at_most_->take(event.user, now)) {
      pop();
      continue;
    }
    tried_ = true;
    const Fd input = input_of(event.line);
    if (!input) return fail(std::strerror(errno), now);
    auto child = Child::spawn({"/bin/sh", "-c", exec_.command}, signals_, input.get());
    if (!child) return fail(child.error().message, now);
    child_ = std::move(*child);
  }
}

void EventRunner::reap(Instant now) {
  if (!child_) return;
  child_->reap();
  if (child_->running()) return;
  const int status = child_->status();
  child_.reset();
  if (status == 0) return pop();
  if (!stopping_) fail(cause_of(status), now);
}

void EventRunner::fail(std::string_view cause, Instant now) {
  const SeenEvent& event = queue_.front();
  const auto again = retries_.fail(now);
  const auto what = text::format("cannot hand on event {} ({}{}{}): {}", event.mark.seq, event.name,
                                 event.user.empty() ? "" : " of ", event.user, cause);
  if (again) {
    complain(text::format("{}; trying again in {}", what, human_duration(*again - now)));
    retry_at_ = *again;
    return;
  }
  complain(text::format("{}, for 24 hours now; skipping it", what));
  pop();
}

void EventRunner::pop() {
  done_ = queue_.front().mark;
  waiting_ -= sizeof(SeenEvent) + queue_.front().line.size();
  queue_.pop_front();
  tried_ = false;
  retries_ = {};
  retry_at_.reset();
}

std::optional<Instant> EventRunner::due() const {
  if (child_ || queue_.empty() || stopping_) return std::nullopt;
  return retry_at_.value_or(Instant());
}

}  // namespace concur::cli
