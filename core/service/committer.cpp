#include "service/committer.hpp"

#include "base/text.hpp"
#include "service/sleep_watch.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <cassert>
#include <utility>

namespace concur {

namespace {

constexpr auto kSlowCommit = std::chrono::seconds(1);

}  // namespace

Committer::Committer(LoopRunner& runner, const Clock& clock, Logger& log, Registry& registry,
                     Store store, std::string path, Listener& listener)
    : runner_(runner),
      loop_(runner.loop()),
      clock_(clock),
      log_(log),
      registry_(registry),
      path_(std::move(path)),
      files_(store.files()),
      listener_(listener),
      thread_(std::move(store), [this](CommitOutcome outcome) {
        boost::asio::post(loop_, [this, outcome = std::move(outcome)] {
          runner_.turn().run([this, &outcome] { on_outcome(outcome); });
        });
      }) {}

// --- what waits ---

Committer::Group& Committer::group_of(Sequence change) {
  if (!committing() || change > under_way_.back().upto) return gathered_;
  return *std::ranges::lower_bound(under_way_, change, {}, &Group::upto);
}

void Committer::hold(Sequence change, Answer&& answer, Service::Reply reply) {
  const std::size_t bytes = Backlog::bytes_of(answer);
  backlog_.add(bytes);
  group_of(change).answers.push_back({std::move(answer), std::move(reply), bytes});
}

void Committer::when_stored(Callback<void()> then) {
  if (registry_.has_changes()) {
    gathered_.then.push_back(std::move(then));
    schedule();
  } else if (committing()) {
    under_way_.back().then.push_back(std::move(then));
  } else {
    then();
  }
}

// --- committing ---

// The flush runs at the end of this turn of the loop, so that all that was decided in it shares a
// commit.
void Committer::schedule() {
  if (flush_step_.is_queued() || committing_inline_) return;
  commands_since_ = 0;
  runner_.turn().at(Turn::Stage::kCommit, flush_step_);
}

void Committer::flush() {
  if (committing_inline_ || !registry_.has_changes()) return;
  if (writes_anew_) return refuse_soon();
  if (should_commit_inline()) {
    commit_inline();
  } else {
    hand_over();
  }
}

// Nobody else asked in this turn of the loop, or waits for a commit, or waited for the one before:
// then hardly anybody is kept waiting. A disk that is slow beside a hop from thread to thread, and
// what is much, are left to the commit thread.
bool Committer::should_commit_inline() const {
  constexpr auto kQuick = std::chrono::milliseconds(3);
  constexpr std::size_t kFewChanges = 64;
  return !committing() && commands_since_ == 0 && gathered_.answers.size() == 1 &&
         registry_.pending_changes() <= kFewChanges && last_answered_ <= 1 && last_took_ < kQuick &&
         last_error_.empty();
}

Batch Committer::close_group() {
  if (!committing()) {
    keeps_loop_.emplace(loop_.get_executor());
    began_ = clock_.now();
  }
  gathered_.upto = registry_.last_change();
  gathered_.changes = registry_.pending_changes();
  handed_changes_ += gathered_.changes;
  Batch batch{registry_.take_changes(), gathered_.upto, clock_.now().offset(), term_};
  const std::size_t answers = gathered_.answers.size();
  under_way_.push_back(std::exchange(gathered_, {}));
  gathered_.answers.reserve(answers);  // as many are likely to follow
  return batch;
}

void Committer::hand_over() { thread_.submit(close_group()); }

void Committer::commit_inline() {
  committing_inline_ = true;
  runner_.wait_for([this, batch = close_group()] { return thread_.commit_inline(batch); },
                   [this](const CommitOutcome& outcome) {
                     committing_inline_ = false;
                     runner_.turn().conclude([this, &outcome] { on_outcome(outcome); });
                   });
}

void Committer::commit_now() {
  if (!registry_.has_changes() || committing_inline_) return;
  if (writes_anew_) return refuse_soon();
  hand_over();
}

void Committer::probe() {
  if (!last_error_.empty() && !committing() && !writes_anew_) hand_over();
}

void Committer::check_files() {
  if (files_ && !committing() && !writes_anew_ && files_->in_doubt()) hand_over();
}

// --- a new database ---

void Committer::begin_anew() {
  assert(!committing() && !last_error_.empty());
  writes_anew_ = true;
}

void Committer::refuse_waiting() {
  if (!registry_.has_changes()) return;
  roll_back(anew_cause_, clock_.now());
  listener_.after_answers(&last_error_);
}

// Not within the turn that decided it.
void Committer::refuse_soon() {
  if (std::exchange(refuses_soon_, true)) return;
  boost::asio::post(loop_, [this] {
    refuses_soon_ = false;
    runner_.turn().conclude([this] {
      if (writes_anew_) {
        refuse_waiting();
      } else {
        decided();
      }
    });
  });
}

void Committer::write_anew(std::vector<Change> changes, Store::Part part,
                           Callback<void(const Result<void>&)> done) {
  part_done_ = std::move(done);
  last_part_ = part.last;
  keeps_loop_.emplace(loop_.get_executor());
  thread_.submit({std::move(changes), 0, clock_.now().offset(), term_, part});
}

void Committer::on_part(const CommitOutcome& outcome) {
  const Now now = clock_.now();
  keeps_loop_.reset();
  const auto done = std::exchange(part_done_, {});
  if (!outcome.result || last_part_) {
    refuse_waiting();
    writes_anew_ = false;
    log_outcome(outcome, now);
    if (outcome.result) {
      answer_upto(0, now);
    } else {
      roll_back(outcome.result.error(), now);
    }
    listener_.after_answers(outcome.result ? nullptr : &last_error_);
  }
  done(outcome.result);
  finish_if_idle();
}

// --- what came of it ---

void Committer::on_outcome(const CommitOutcome& outcome) {
  if (outcome.is_part) return on_part(outcome);
  const Now now = clock_.now();
  measure(outcome, now);
  log_outcome(outcome, now);
  if (outcome.result) {
    answer_upto(outcome.upto, now);
  } else {
    roll_back(outcome.result.error(), now);
  }
  if (!committing()) keeps_loop_.reset();
  listener_.after_answers(outcome.result ? nullptr : &last_error_);
  if (!outcome.result && outcome.unreadable) {
    anew_cause_ = outcome.result.error();
    listener_.files_unreadable(now);
  }
  decided();
  finish_if_idle();
}

// Until the outcome is known here, for that is what the answers wait for.
void Committer::measure(const CommitOutcome& outcome, const Now& now) {
  const Now began = std::exchange(began_, now);
  auto took = now.since_boot - began.since_boot;
  last_took_ = took;
  // The clock counts suspend, which is nobody's fault.
  const Millis slept = now.asleep - began.asleep;
  if (slept >= SleepWatch::kMinSleep) took -= slept;
  counts_.durations.add(took.count());
  counts_.changes.add(static_cast<std::int64_t>(outcome.changes));
  if (!outcome.result) ++counts_.failed;
  if (took > kSlowCommit && slowness_.next(now.instant)) {
    log_.warning(
        "a commit to {} took {:.1f} s (changes: {}), and starts and ends wait for it: the disk is "
        "slow, or others keep it busy",
        path_, std::chrono::duration<double>(took).count(), outcome.changes);
  }
}

void Committer::log_outcome(const CommitOutcome& outcome, const Now& now) {
  if (outcome.rewrote && outcome.is_part) {
    log_.warning(
        "the files of the database {} had been taken away and could not be read any more: all that "
        "is in memory was written to a new one there; no session is lost, but the record of who "
        "shares is; find out who removes or overwrites them",
        path_);
  } else if (outcome.rewrote) {
    log_.warning(
        "the files of the database {} had been taken away: all that they held was written to a new "
        "one there, and nothing is lost; find out who removes or renames them",
        path_);
  }
  // Once, and again where the cause changes.
  if (outcome.result || outcome.result.error().message == logged_cause_) return;
  if (!logged_cause_.empty() && !other_causes_.next(now.instant)) return;
  logged_cause_ = outcome.result.error().message;
  const std::string advice =
      !outcome.advice.empty()
          ? outcome.advice
          : text::format(
                "free space on the file system of {}, or check that the daemon may write "
                "to it and its folder",
                path_);
  log_.error("cannot commit to {}: {}; starts and ends are answered 503 until it works again: {}",
             path_, logged_cause_, advice);
}

void Committer::answer_upto(Sequence durable, const Now& now) {
  if (!last_error_.empty()) {
    log_.info("commits to {} work again", path_);
    last_error_.clear();
    logged_cause_.clear();
  }
  registry_.confirm(durable);
  listener_.before_answers(now);
  last_answered_ = 0;
  while (committing() && under_way_.front().upto <= durable) {
    Group group = std::move(under_way_.front());
    under_way_.pop_front();
    handed_changes_ -= group.changes;
    last_answered_ += group.answers.size();
    for (Waiting& each : group.answers) {
      backlog_.remove(each.bytes);
      each.reply(std::move(each.answer));
    }
    for (const auto& then : group.then) then();
  }
}

// All that is not durable goes, also what was handed over behind the commit that failed or is not
// handed over yet, for it may build on that.
void Committer::roll_back(const Error& error, const Now& now) {
  last_error_ = text::format("cannot commit to {}: {}", path_, error.message);
  ++term_;
  registry_.roll_back();
  listener_.before_answers(now);
  auto lost = std::exchange(under_way_, {});
  lost.push_back(std::exchange(gathered_, {}));
  handed_changes_ = 0;
  last_answered_ = 0;
  for (const Group& group : lost) {
    last_answered_ += group.answers.size();
    for (const Waiting& each : group.answers) {
      backlog_.remove(each.bytes);
      each.reply(Error{ErrorKind::kUnavailable, last_error_});
    }
  }
  for (const Group& group : lost) {
    for (const auto& then : group.then) then();
  }
}

// --- the end ---

void Committer::finish(Callback<void()> done) {
  finished_ = std::move(done);
  if (files_ && !writes_anew_ && !files_->in_place()) {
    log_.error("stopping while the files of {} are not in place: what was stored in them is lost",
               path_);
  }
  commit_now();
  finish_if_idle();
}

void Committer::finish_if_idle() {
  if (finished_ && !committing() && !writes_anew_ && !registry_.has_changes()) {
    std::exchange(finished_, {})();
  }
}

}  // namespace concur
