#include "service/work_board.hpp"

namespace concur {

std::shared_ptr<LongWork> WorkBoard::add(std::string_view what, std::string_view unit,
                                         Instant now) {
  std::erase_if(entries_, [](const Entry& each) { return each.work.expired(); });
  auto work = std::make_shared<LongWork>();
  entries_.push_back({what, unit, now, now + kLogEvery, work});
  return work;
}

std::vector<WorkState> WorkBoard::list() const {
  std::vector<WorkState> states;
  for (const Entry& each : entries_) {
    const auto work = each.work.lock();
    if (work) states.push_back({each.what, each.unit, work->done(), work->total()});
  }
  return states;
}

void WorkBoard::log_long(Logger& log, Instant now) {
  for (Entry& each : entries_) {
    if (now < each.due) continue;
    const auto work = each.work.lock();
    if (!work) continue;
    each.due = now + kLogEvery;
    log.info("{}",
             progress_text({each.what, each.unit, work->done(), work->total()}, now - each.began));
  }
}

}  // namespace concur
