#include "fleet/lists.hpp"

#include "base/text.hpp"
#include "session/id.hpp"
#include "session/purge_match.hpp"

#include <boost/unordered/unordered_flat_set.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

namespace concur {

namespace {

// Where a list goes on: behind that session of that user, at that place of the walk.
struct Place {
  engine::WalkPosition walk;
  std::uint64_t at = 0;
  std::uint64_t hash = 0;
  std::int64_t row = -1;  // all of the user's are behind it

  auto of_user() const { return std::tie(at, hash); }
};

// A user stands behind where the walk was, by less than a step.
Cursor cursor_of(const Place& place) {
  return Cursor(text::format("f{:x}.{:x}.{:x}.{:x}.{:x}.{:x}", place.walk.at, place.walk.generation,
                             place.walk.server, place.at - place.walk.at, place.hash,
                             place.row + 1));
}

std::optional<Place> place_of(const Cursor& cursor) {
  if (cursor.empty()) return Place();
  std::string_view text = cursor.text();
  if (!text.starts_with('f')) return std::nullopt;
  std::array<std::uint64_t, 6> numbers{};
  for (std::uint64_t& number : numbers) {
    text.remove_prefix(1);
    const auto [rest, failed] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
    if (failed != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
    const bool is_last = &number == &numbers.back();
    if (text.empty() != is_last || (!is_last && text.front() != '.')) return std::nullopt;
  }
  const engine::WalkPosition walk{numbers[0], numbers[1], numbers[2]};
  if (walk.is_by_slots() && walk.at >= engine::kSlots) return std::nullopt;
  return Place{walk, walk.at + numbers[3], numbers[4],
               static_cast<std::int64_t>(numbers[5] & INT64_MAX) - 1};
}

Now at(WallTime engine) { return {Instant(engine.time_since_epoch()), {}, {}, {}}; }

Error unavailable(const std::string& cause) {
  return {ErrorKind::kUnavailable, "cannot ask the fleet's engine: " + cause};
}

constexpr Millis kPageTime{250};

SessionInfo info_of(std::string_view user, const UserState::Session& session,
                    const std::string& box) {
  const Row& row = session.row;
  SessionInfo info;
  info.user = user;
  info.session = row.session;
  info.started_at = WallTime(row.started.time_since_epoch());
  info.last_seen_at = WallTime(row.last_seen.time_since_epoch());
  info.expires_at = WallTime(row.expires.time_since_epoch());
  if (row.details) info.details = *row.details;
  if (row.overlap) info.grace_ends_at = info.started_at + row.overlap->length;
  info.box = box;
  return info;
}

UserBlock info_of(std::string_view user, const Block& block) {
  UserBlock info{std::string(user), true, WallTime(block.since.time_since_epoch())};
  if (const auto until = block.until()) info.until = WallTime(until->time_since_epoch());
  info.message = block.message;
  return info;
}

}  // namespace

// --- lists ---

void Lists::list(const ListAll& list, Service::Reply reply) {
  this->list(list, clock_.now().instant + kPageTime, std::move(reply));
}

void Lists::list(const ListLimits& list, Service::Reply reply) {
  this->list(list, clock_.now().instant + kPageTime, std::move(reply));
}

void Lists::list(const ListBlocks& list, Service::Reply reply) {
  this->list(list, clock_.now().instant + kPageTime, std::move(reply));
}

// Steps that meet nobody are followed by others, for a while.
void Lists::list(const ListAll& list, Instant until, Service::Reply reply) {
  const auto from = place_of(list.after);
  if (!from) return reply(Answer(Refused{list.after.not_ours()}));
  auto shared = std::make_shared<Service::Reply>(std::move(reply));
  walk_.step(from->walk, [this, shared, from = *from, most = list.most, until](WalkStep&& step) {
    if (!step.available) return (*shared)(unavailable(step.cause));
    Page page;
    for (const WalkedUser& user : step.users) {
      if (std::tie(user.at, user.hash) < from.of_user()) continue;
      const bool begun = std::tie(user.at, user.hash) == from.of_user();
      ReadUser read = read_user(user.user, user.fields, at(user.now).instant);
      bound_leases(read.state, judge_.policy().longest, at(user.now).instant);
      for (const UserState::Session& each : read.state.sessions) {
        if (each.row.expires <= at(user.now).instant) continue;
        if (begun && each.row.id <= from.row) continue;
        if (page.sessions.size() == most) {
          return (*shared)(Answer(std::move(page)));
        }
        page.sessions.push_back(info_of(user.user, each, boxes_.label_of(each.box)));
        page.next = cursor_of({from.walk, user.at, user.hash, each.row.id});
      }
    }
    page.next = step.next ? cursor_of({*step.next, step.next->at}) : Cursor();
    if (page.sessions.empty() && step.next && clock_.now().instant < until) {
      return this->list(ListAll{page.next, most}, until, std::move(*shared));
    }
    (*shared)(Answer(std::move(page)));
  });
}

void Lists::list(const ListLimits& list, Instant until, Service::Reply reply) {
  const auto from = place_of(list.after);
  if (!from) return reply(Answer(Refused{list.after.not_ours()}));
  auto shared = std::make_shared<Service::Reply>(std::move(reply));
  walk_.step(from->walk, [this, shared, from = *from, most = list.most, until](WalkStep&& step) {
    if (!step.available) return (*shared)(unavailable(step.cause));
    LimitPage page;
    for (const WalkedUser& user : step.users) {
      if (std::tie(user.at, user.hash) < from.of_user()) continue;
      if (std::tie(user.at, user.hash) == from.of_user() && from.row >= 0) continue;
      ReadUser read = read_user(user.user, user.fields, at(user.now).instant);
      if (read.state.rule.empty()) continue;
      if (page.limits.size() == most) return (*shared)(Answer(std::move(page)));
      const auto id = Id::parse("user", user.user);
      judge_.open(std::move(read.state), at(user.now));
      Answer shown = judge_.apply(ShowLimit{*id}, 1);
      judge_.close();
      page.limits.push_back(std::move(std::get<UserLimit>(shown)));
      page.next = cursor_of({from.walk, user.at, user.hash, 0});
    }
    page.next = step.next ? cursor_of({*step.next, step.next->at}) : Cursor();
    if (page.limits.empty() && step.next && clock_.now().instant < until) {
      return this->list(ListLimits{page.next, most}, until, std::move(*shared));
    }
    (*shared)(Answer(std::move(page)));
  });
}

void Lists::list(const ListBlocks& list, Instant until, Service::Reply reply) {
  const auto from = place_of(list.after);
  if (!from) return reply(Answer(Refused{list.after.not_ours()}));
  auto shared = std::make_shared<Service::Reply>(std::move(reply));
  walk_.step(from->walk, [this, shared, from = *from, most = list.most, until](WalkStep&& step) {
    if (!step.available) return (*shared)(unavailable(step.cause));
    BlockPage page;
    for (const WalkedUser& user : step.users) {
      if (std::tie(user.at, user.hash) < from.of_user()) continue;
      if (std::tie(user.at, user.hash) == from.of_user() && from.row >= 0) continue;
      const Now now = at(user.now);
      const ReadUser read = read_user(user.user, user.fields, now.instant);
      if (!read.state.block || read.state.block->is_over(now.instant)) continue;
      if (page.blocks.size() == most) return (*shared)(Answer(std::move(page)));
      page.blocks.push_back(info_of(user.user, *read.state.block));
      page.next = cursor_of({from.walk, user.at, user.hash, 0});
    }
    page.next = step.next ? cursor_of({*step.next, step.next->at}) : Cursor();
    if (page.blocks.empty() && step.next && clock_.now().instant < until) {
      return this->list(ListBlocks{page.next, most}, until, std::move(*shared));
    }
    (*shared)(Answer(std::move(page)));
  });
}

// --- the purge of all ---

struct Lists::Purging {
  Purge which;
  Service::Reply reply;
  Purged purged;
  std::optional<engine::WalkPosition> next = engine::WalkPosition();
  std::vector<std::string> users;  // of the step, that are left
  std::size_t under_way = 0;
  std::uint64_t looked_at = 0;  // users; how many there are in all nobody knows
  std::shared_ptr<LongWork> work;
  std::optional<Error> failure;
};

void Lists::purge(const Purge& purge, Service::Reply reply) {
  auto purging = std::make_shared<Purging>();
  purging->which = purge;
  purging->work = board_.add("purge", "users", clock_.now().instant);
  purging->purged.dry_run = purge.dry_run;
  if (purge.block && !purge.dry_run) purging->purged.blocked = 0;
  purging->reply = std::move(reply);
  go_on(purging);
}

void Lists::go_on(const std::shared_ptr<Purging>& purging) {
  if (purging->failure) return purging->reply(std::move(*purging->failure));
  if (!purging->next) return purging->reply(Answer(purging->purged));
  walk_.step(*purging->next, [this, purging](WalkStep&& step) {
    if (!step.available) return purging->reply(unavailable(step.cause));
    purging->next = step.next;
    if (step.anew && purging->purged.dry_run) {
      purging->purged.count = 0;
      purging->purged.users = 0;
    }
    for (WalkedUser& each : step.users) {
      const Instant now = at(each.now).instant;
      const ReadUser read = read_user(each.user, each.fields, now);
      const bool is_concerned = std::ranges::any_of(read.state.sessions, [&](const auto& session) {
        const Row& row = session.row;
        return is_meant(purging->which, row.started, row.last_seen, row.details.get(), now);
      });
      if (is_concerned) purging->users.push_back(std::move(each.user));
    }
    purging->looked_at += step.users.size();
    purging->work->report(purging->looked_at, 0);
    ++purging->under_way;
    purge_more(purging);
    if (--purging->under_way == 0) go_on(purging);
  });
}

void Lists::purge_more(const std::shared_ptr<Purging>& purging) {
  while (!purging->users.empty() && purging->under_way <= kPurgesAtOnce && !purging->failure) {
    const std::string user = std::move(purging->users.back());
    purging->users.pop_back();
    ++purging->under_way;
    Purge one = purging->which;
    one.user = *Id::parse("user", user);
    desks_.submit(user, one, clock_.now(), [this, purging](Result<Answer>&& answer) {
      if (!answer) {
        purging->failure = answer.error();
      } else if (const auto* purged = std::get_if<Purged>(&*answer)) {
        Purged& all = purging->purged;
        all.count += purged->count;
        all.users += purged->users;
        if (purged->blocked) all.blocked = all.blocked.value_or(0) + *purged->blocked;
      }
      purge_more(purging);
      if (--purging->under_way == 0) go_on(purging);
    });
  }
  if (purging->failure) purging->users.clear();
}

// --- who has which plan ---

struct Lists::Counting {
  PlanUsers found;
  boost::unordered_flat_set<std::uint64_t>
      met;  // of those who have one: a walk may meet them again
  std::function<void(PlanUsers&&)> done;
};

void Lists::count_plans(std::function<void(PlanUsers&&)> done) {
  auto counting = std::make_shared<Counting>();
  counting->done = std::move(done);
  go_on(counting, {});
}

void Lists::go_on(const std::shared_ptr<Counting>& counting, const engine::WalkPosition& from) {
  walk_.step(from, [this, counting](WalkStep&& step) {
    if (!step.available) {
      counting->found.cause = step.cause;
      return counting->done(std::move(counting->found));
    }
    if (step.anew) {
      counting->found.plans.clear();
      counting->met.clear();
    }
    for (const WalkedUser& each : step.users) {
      ReadUser read = read_user(each.user, each.fields, at(each.now).instant);
      if (read.state.rule.plan.empty() || !counting->met.insert(each.hash).second) continue;
      const std::string plan = read.state.rule.plan;
      const bool has_limit = read.state.rule.limit.has_value();
      const auto id = Id::parse("user", each.user);
      judge_.open(std::move(read.state), at(each.now));
      const Answer shown = judge_.apply(ShowLimit{*id}, 1);
      judge_.close();
      const auto& limit = std::get<UserLimit>(shown);
      PlanInfo& info = counting->found.plans[plan];
      ++info.users;
      const bool above = !limit.counts && limit.limit != kUnlimited && limit.active > limit.limit;
      if (!has_limit && above) ++info.users_above;
    }
    if (!step.next) return counting->done(std::move(counting->found));
    go_on(counting, *step.next);
  });
}

}  // namespace concur
