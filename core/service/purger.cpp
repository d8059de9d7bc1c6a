#include "service/purger.hpp"

#include <boost/asio/post.hpp>

#include <utility>
#include <variant>

namespace concur {

void Purger::begin(const Purge& purge, Service::Reply reply) {
  if (running_.size() >= kMaxPurges) {
    return reply(Error{ErrorKind::kUnavailable, "cannot purge: others are under way; try again"});
  }
  running_.push_back({purge, registry_.begin_purge(), std::move(reply),
                      board_.add("purge", "sessions", host_.look_at_clock().instant)});
  // The first step at once, so that the next command already sees it; with few sessions that is the
  // whole purge.
  if (running_.size() == 1 && !scheduled_) step();
  schedule_if_room();
}

// In a later turn of the loop, or after a commit where enough waits for that.
void Purger::schedule_if_room() {
  if (host_.waiting_changes() < kMaxBacklog) schedule();
}

void Purger::schedule() {
  if (running_.empty() || scheduled_) return;
  scheduled_ = true;
  boost::asio::post(loop_, [this] {
    scheduled_ = false;
    step();
    schedule_if_room();
  });
}

void Purger::step() {
  if (running_.empty()) return;
  Running& running = running_.front();
  Decision decision =
      registry_.purge_some(running.purge, running.cursor, kStep, host_.look_at_clock());
  host_.decided();
  auto& purged = std::get<Purged>(decision.answer);
  running.count += purged.count;
  running.work->report(running.cursor.next, running.cursor.end);
  if (!running.cursor.done()) return;
  purged.count = running.count;
  Running done = std::move(running);
  running_.pop_front();
  host_.answer(std::move(decision), std::move(done.reply));
}

void Purger::refuse(const std::string& why) {
  for (Running& each : std::exchange(running_, {})) {
    if (each.purge.dry_run) {
      running_.push_back(std::move(each));
    } else {
      each.reply(Error{ErrorKind::kUnavailable, why});
    }
  }
}

void Purger::stop(const std::string& why) {
  for (const Running& each : std::exchange(running_, {})) {
    each.reply(Error{ErrorKind::kUnavailable, why});
  }
}

}  // namespace concur
