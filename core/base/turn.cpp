#include "base/turn.hpp"

#include <boost/asio/post.hpp>

namespace concur {

void Turn::end() {
  run_stage(Stage::kDecide);
  run_stage(Stage::kPublish);
  run_stage(Stage::kSend);
  next_stage_ = kOutside;
  Steps& commits = waiting_[index_of(Stage::kCommit)];
  if (commits.empty()) return;
  Step& commit = commits.front();
  commits.pop_front();
  if (!commits.empty()) post();
  commit.run();  // nothing behind it: by now another thread may be in a turn
}

void Turn::end_conclusion() {
  run_stage(Stage::kPublish);
  run_stage(Stage::kSend);
  next_stage_ = kOutside;
  if (!waiting_[index_of(Stage::kCommit)].empty()) post();
}

// Those who ask for the same stage meanwhile wait for the next turn.
void Turn::run_stage(Stage stage) {
  next_stage_ = index_of(stage) + 1;
  running_.swap(waiting_[index_of(stage)]);
  while (!running_.empty()) {
    Step& step = running_.front();
    running_.pop_front();
    step.run();
  }
}

void Turn::post() {
  if (posted_) return;
  posted_ = true;
  boost::asio::post(loop_, [this] {
    posted_ = false;
    run([] {});
  });
}

}  // namespace concur
