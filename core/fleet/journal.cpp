#include "fleet/journal.hpp"

#include "base/text.hpp"

#include <boost/asio/post.hpp>

#include <iterator>
#include <memory>
#include <type_traits>
#include <utility>
#include <variant>

namespace concur {

namespace {

Change copy_of(const Change& change) {
  return std::visit(
      [](const auto& each) -> Change {
        using Kind = std::decay_t<decltype(each)>;
        if constexpr (std::is_same_v<Kind, Insert> || std::is_same_v<Kind, PutGone>) {
          return Kind{copy_of(each.row)};
        } else {
          return each;
        }
      },
      change);
}

}  // namespace

Journal::Journal(LoopRunner& runner, const Clock& clock, Logger& log, Store store, std::string path)
    : runner_(runner),
      clock_(clock),
      log_(log),
      path_(std::move(path)),
      files_(store.files()),
      thread_(std::move(store), [this](CommitOutcome outcome) {
        boost::asio::post(runner_.loop(), [this, outcome = std::move(outcome)] {
          runner_.turn().run([this, &outcome] { on_outcome(outcome); });
        });
      }) {}

void Journal::add(Change&& change) {
  if (waiting() >= kMaxWaiting) {
    ++dropped_;
    return;
  }
  waiting_.push_back(std::move(change));
  if (trouble_.empty()) runner_.turn().at(Turn::Stage::kCommit, flush_step_);
}

void Journal::when_stored(Callback<void()> then) {
  if (!waiting_.empty() && trouble_.empty()) {
    after_next_.push_back(std::move(then));
    runner_.turn().at(Turn::Stage::kCommit, flush_step_);
  } else if (committing_) {
    after_this_.push_back(std::move(then));
  } else {
    then();
  }
}

void Journal::flush() {
  if (!committing_ && !waiting_.empty() && trouble_.empty() && is_due()) hand_over();
}

bool Journal::is_due() const {
  const bool is_awaited = !after_next_.empty() || finished_;
  return is_awaited || clock_.now().since_boot - began_.since_boot >= kPause;
}

void Journal::hand_over() {
  committing_ = true;
  began_ = clock_.now();
  std::vector<Change> batch = std::exchange(waiting_, {});
  under_way_.clear();
  under_way_.reserve(batch.size());
  for (const Change& each : batch) under_way_.push_back(copy_of(each));
  after_this_ = std::exchange(after_next_, {});
  thread_.submit({std::move(batch), 0, began_.offset(), term_});
}

void Journal::on_outcome(const CommitOutcome& outcome) {
  committing_ = false;
  counts_.durations.add((clock_.now().since_boot - began_.since_boot).count());
  counts_.changes.add(static_cast<std::int64_t>(outcome.changes));
  std::vector<Change> tried = std::exchange(under_way_, {});
  if (outcome.result) {
    if (!trouble_.empty()) {
      log_.info("commits to {} work again{}", path_,
                dropped_ == 0 ? std::string()
                              : text::format("; {} changes were too many to keep, so that a "
                                             "restart may forget sessions",
                                             dropped_));
      trouble_.clear();
      dropped_ = 0;
    }
  } else {
    ++counts_.failed;
    ++term_;
    const std::string cause =
        text::format("cannot commit to {}: {}", path_, outcome.result.error().message);
    if (trouble_.empty()) {
      log_.error(
          "{}; sessions go on in the fleet, and a restart of this box may forget what it served: "
          "free space on the file system, or check that the daemon may write there",
          cause);
    }
    trouble_ = cause;
    tried.insert(tried.end(), std::make_move_iterator(waiting_.begin()),
                 std::make_move_iterator(waiting_.end()));
    waiting_ = std::move(tried);
  }
  release(std::exchange(after_this_, {}));
  if (!trouble_.empty()) release(std::exchange(after_next_, {}));
  flush();
  if (finished_ && !committing_) std::exchange(finished_, {})();
}

void Journal::release(std::vector<Callback<void()>>&& those) {
  for (const Callback<void()>& each : those) each();
}

void Journal::tick() {
  if (committing_) return;
  const bool in_doubt = files_ && files_->in_doubt();
  if (!trouble_.empty() || in_doubt) hand_over();
}

void Journal::finish(Callback<void()> done) {
  finished_ = std::move(done);
  if (!committing_ && !waiting_.empty()) hand_over();
  if (!committing_) std::exchange(finished_, {})();
}

}  // namespace concur
