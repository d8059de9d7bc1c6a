#pragma once

#include "base/clock.hpp"
#include "fleet/boxes.hpp"
#include "fleet/desks.hpp"
#include "fleet/walk.hpp"
#include "service/service.hpp"
#include "service/work_board.hpp"
#include "session/judge.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace concur {

// What concerns all users of a fleet, by walks over the engine's keys in bounded steps: lists, the
// purge of all, who has which plan. For the loop's thread alone.
class Lists {
 public:
  static constexpr std::size_t kPurgesAtOnce = 64;  // users

  // All must outlive it.
  Lists(Walk& walk, Desks& desks, Judge& judge, Boxes& boxes, const Clock& clock, WorkBoard& board)
      : walk_(walk), desks_(desks), judge_(judge), boxes_(boxes), clock_(clock), board_(board) {}

  void list(const ListAll& list, Service::Reply reply);
  void list(const ListLimits& list, Service::Reply reply);
  void list(const ListBlocks& list, Service::Reply reply);
  void purge(const Purge& purge, Service::Reply reply);

  // How many users have each plan, and how many of them are above its limit.
  struct PlanUsers {
    std::map<std::string, PlanInfo, std::less<>> plans;
    std::string cause;  // why it is not known; empty where it is
  };
  void count_plans(std::function<void(PlanUsers&&)> done);

 private:
  struct Purging;
  struct Counting;

  void list(const ListAll& list, Instant until, Service::Reply reply);
  void list(const ListLimits& list, Instant until, Service::Reply reply);
  void list(const ListBlocks& list, Instant until, Service::Reply reply);
  void go_on(const std::shared_ptr<Purging>& purging);
  void purge_more(const std::shared_ptr<Purging>& purging);
  void go_on(const std::shared_ptr<Counting>& counting, const engine::WalkPosition& from);

  Walk& walk_;
  Desks& desks_;
  Judge& judge_;
  Boxes& boxes_;
  const Clock& clock_;
  WorkBoard& board_;
};

}  // namespace concur
