// The driver's part about what a service finds again when it starts.
#include "base/text.hpp"
#include "driver.hpp"
#include "store/rows.hpp"
#include "text.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace concur::simulation {

using namespace std::chrono_literals;

void Driver::check_recovered() {
  found_.clear();
  for (const std::string& name : kUsers) {
    machine_.service().submit(ListUser{*Id::parse("user", name)}, machine_.clock.now(),
                              [&](const Result<Answer>& answer) {
                                if (!answer) fail("cannot list: " + answer.error().message);
                                found_[name] = std::get<UserSessions>(*answer).sessions;
                              });
  }
  machine_.run();
  found_hold_offs_.clear();
  for (auto& each : machine_.hold_offs()) {
    found_hold_offs_[each.user].push_back(each);
    ++met_[each.mark == Mark::kHeldOff        ? "found held off"
           : each.mark == Mark::kProtected    ? "found protected"
           : each.mark == Mark::kChangedHands ? "found with changed hands"
                                              : "found fought over"];
  }
  found_gone_.clear();
  for (auto& each : machine_.gone()) found_gone_[each.user].push_back(each);
  std::string why;
  for (const Model::State& state : model_.possible()) {
    Model::State found;
    std::string reason;
    if (!matches(state, found, reason)) {
      why += "\n  " + reason;
      continue;
    }
    model_.adopt(std::move(found));
    forget_tokens_of_refused();
    forget_starts();
    adopt_leases();
    look_at_everything();
    return;
  }
  fail("what is found is nothing that may have been:" + why);
}

// Whether that is what was stored; `found` is then the model's view of it.
bool Driver::matches(const Model::State& state, Model::State& found, std::string& why) {
  found = state;
  for (const std::string& name : kUsers) {
    Model::User& who = found.users[name];
    who.replaced.clear();
    if (!match_sessions(state, name, who, why) || !match_hold_offs(name, who, why) ||
        !match_gone(name, who, why) || !match_block(name, who, why)) {
      return false;
    }
  }
  return match_leases(found, why) && match_limits(found, why);
}

// Why somebody else ended a session is stored, and goes by the wall clock after a reboot. What is
// over may still be there; after a reboot it may be so again.
bool Driver::match_gone(const std::string& name, Model::User& who, std::string& why) {
  const Now now = machine_.clock.now();
  std::erase_if(who.gone, [](const auto& each) {
    return (each.second.reason == EndReason::kEnded && each.second.message.empty()) ||
           each.second.reason == EndReason::kExpired;
  });
  std::map<std::string, Machine::Gone> rows;
  for (const Machine::Gone& each : found_gone_[name]) rows[each.session] = each;
  const auto by_wall = [&now](WallTime at) {
    return std::min(Instant((at - now.offset()).time_since_epoch()), now.instant);
  };
  for (auto each = who.gone.begin(); each != who.gone.end();) {
    auto& [session, gone] = *each;
    const bool was_over = model_.is_forgotten(gone, stopped_);
    gone.other_boot = gone.other_boot || rebooted_;
    const auto row = rows.find(session);
    if (gone.wall_unsure && row != rows.end()) {
      gone.wall = row->second.at;
      gone.at = std::min(row->second.instant, now.instant);
      gone.other_boot = !row->second.this_boot;
    }
    if (gone.other_boot) gone.at = by_wall(gone.wall);
    const bool same =
        row != rows.end() && row->second.at == gone.wall &&
        row->second.reason == stored_word_of(gone.reason) && row->second.message == gone.message &&
        row->second.by_session == gone.by.session && row->second.by_device == gone.by.device;
    if (!same && !was_over && !model_.is_forgotten(gone, now)) {
      why = text::format("why {}/{} is gone is lost", name, session);
      return false;
    }
    if (same) {
      if (!who.unsettled || who.unsettled->id != gone.id) gone.id = 0;
      rows.erase(row);
      ++each;
    } else {
      each = who.gone.erase(each);
    }
  }
  for (const auto& [session, row] : rows) {
    Model::Gone gone{row.reason == "evicted"  ? EndReason::kEvicted
                     : row.reason == "ended"  ? EndReason::kEnded
                     : row.reason == "denied" ? EndReason::kDenied
                                              : EndReason::kPurged,
                     {row.by_session, row.by_device},
                     by_wall(row.at),
                     row.ttl,
                     row.at,
                     true};
    gone.message = row.message;
    if (model_.is_forgotten(gone, now) ||
        std::ranges::count(who.sessions, session, &Model::Session::name) > 0)
      continue;
    if (!rebooted_) {
      why = text::format("nobody knows that {}/{} is gone", name, session);
      return false;
    }
    who.gone[session] = gone;
  }
  who.no_overlap_until = Instant::min();
  for (const auto& [session, gone] : who.gone) {
    if (gone.reason != EndReason::kDenied) continue;
    who.no_overlap_until =
        std::max(who.no_overlap_until, gone.at + kOverlapPause * policy_.overlap);
  }
  return true;
}

// A block that is over stands in the database until the sweeper's change is stored, and holds again
// where a reboot's wall clock says so: the model knows of it for as long.
bool Driver::match_block(const std::string& name, Model::User& who, std::string& why) {
  const Now now = machine_.clock.now();
  std::optional<UserBlock> found;
  machine_.service().submit(
      ShowBlock{*Id::parse("user", name)}, now,
      [&found](const Result<Answer>& answer) { found = std::get<UserBlock>(*answer); });
  if (!who.kept_out) {
    if (found->blocked) why = name + " is kept out, and nobody knows of it";
    return !found->blocked;
  }
  Model::KeptOut& kept_out = *who.kept_out;
  concur::Block& block = kept_out.block;
  const bool was_over = block.is_over(stopped_.instant);
  // A failed commit leaves it to the next service.
  const bool was_dropped = was_over && trouble_ < *block.until() && was_swept(*block.until());
  kept_out.other_boot = kept_out.other_boot || rebooted_;
  if (kept_out.other_boot) {
    block.since =
        std::min(Instant((kept_out.since - now.offset()).time_since_epoch()), now.instant);
  }
  if (!found->blocked) {
    if (block.is_over(now.instant)) return true;
    if (!was_over) why = name + " is kept out no longer";
    who.kept_out.reset();  // it would hold again, were it there
    return was_over;
  }
  if (was_dropped) {
    why = name + " is kept out by a block that was over long before";
    return false;
  }
  const bool same =
      found->since == now.to_wall(block.since) && found->message == block.message &&
      found->until ==
          (block.length ? std::optional(now.to_wall(block.since + *block.length)) : std::nullopt);
  if (!same) why = name + " is kept out by another block";
  return same;
}

// A session that was let in for a while when the service stopped, or whose time was over without
// anybody being told: by then it may have been settled, or it is at the first look, and all that is
// found beside it is active then. `found` is null where it is not there any more.
bool Driver::match_overlap(const Model::State& state, const std::string& name,
                           Model::Session& session, const SessionInfo* found, std::string& why) {
  const Now now = machine_.clock.now();
  const Instant ends = Model::overlap_end(session);
  if (found != nullptr && found->grace_ends_at) {
    const bool right =
        session.is_loose || (ends > now.instant && *found->grace_ends_at == now.to_wall(ends));
    if (!right) why = text::format("{}/{} is let in for another while", name, session.name);
    return right;
  }
  const std::size_t others = found_[name].size() - (found == nullptr ? 0 : 1);
  const bool before =
      model_.has_room(state, name, session, model_.others_at(state.users.at(name), session, ends));
  const bool after = model_.has_room(state, name, session, others);
  const bool stays = found != nullptr;
  const bool right = session.is_loose || (ends <= stopped_.instant && before == stays) ||
                     (ends <= now.instant && after == stays);
  if (!right) {
    why = text::format("{}/{} was let in for a while, and now it {}", name, session.name,
                       stays ? "stays" : "is gone");
  }
  return right;
}

// That it was refused, as it is stored; null where it is not.
const Machine::Gone* Driver::find_refusal(const std::string& name, const Model::Session& session) {
  const auto found = std::ranges::find_if(found_gone_[name], [&](const Machine::Gone& each) {
    return each.session == session.name && each.reason == "denied";
  });
  return found == found_gone_[name].end() ? nullptr : &*found;
}

Model::Gone Driver::gone_by_refusal(const Model::Session& session) {
  Model::Gone gone{
      EndReason::kDenied, {}, Model::overlap_end(session), model_.lease(session.id).ttl};
  gone.id = session.id;
  gone.wall_unsure = true;
  return gone;
}

// It was refused, at the stop or by now; null where that is forgotten already.
bool Driver::match_refusal(const Model::State& state, const std::string& name,
                           Model::Session& session, const Machine::Gone* refusal,
                           std::string& why) {
  session.is_loose =
      session.is_loose || model_.is_over(session.id, stopped_) || (rebooted_ && session.wall_moved);
  if (!match_overlap(state, name, session, nullptr, why)) return false;
  const Instant ends = Model::overlap_end(session);
  if (refusal == nullptr || !refusal->this_boot || session.is_loose || refusal->instant == ends)
    return true;
  why = text::format("{}/{} was refused at {}, not {}", name, session.name,
                     text_of(refusal->instant), text_of(ends));
  return false;
}

bool Driver::match_sessions(const Model::State& state, const std::string& name, Model::User& who,
                            std::string& why) {
  const Now now = machine_.clock.now();
  std::vector<Model::Session> known = std::move(who.sessions);
  if (who.unsettled) {
    // As if nobody had looked.
    std::erase_if(known, [&](const auto& each) { return each.id == who.unsettled->id; });
    const auto gone = who.gone.find(who.unsettled->name);
    if (gone != who.gone.end() && gone->second.id == who.unsettled->id) who.gone.erase(gone);
    known.push_back(*std::exchange(who.unsettled, {}));
  }
  if (!was_clean_) known.insert(known.end(), who.lapsed.begin(), who.lapsed.end());
  who.sessions.clear();
  who.lapsed.clear();
  for (const SessionInfo& info : found_[name]) {
    const auto same = std::ranges::find_if(known, [&](const Model::Session& each) {
      return each.name == info.session && each.details == info.details;
    });
    if (same == known.end()) {
      why = text::format("nobody knows of {}/{}", name, info.session);
      return false;
    }
    Model::Session session = *same;
    const Model::Lease& lease = model_.lease(session.id);
    session.rebooted = session.rebooted || rebooted_;
    // What lies ahead is drawn to the present, at each start anew.
    const bool is_ahead = session.started > now.instant || lease.seen > now.instant ||
                          lease.expires > now.instant + lease.ttl;
    if (session.rebooted && (session.wall_moved || is_ahead)) session.is_loose = true;
    const Instant started((info.started_at - now.offset()).time_since_epoch());
    if (!session.is_loose && started != session.started) {
      why = text::format("{}/{} started at {}, not {}", name, info.session, text_of(started),
                         text_of(session.started));
      return false;
    }
    session.started = started;
    if (session.overlap) {
      if (!match_overlap(state, name, session, &info, why)) return false;
      if (session.is_loose && info.grace_ends_at)
        session.overlap->length = *info.grace_ends_at - info.started_at;
      if (!info.grace_ends_at) {
        if (lies_) who.unsettled = session;
        session.overlap.reset();
      }
    } else if (info.grace_ends_at) {
      why = text::format("{}/{} is let in for a while, and was not", name, info.session);
      return false;
    }
    if (started > now.instant) {
      why = text::format("{}/{} started in the time to come", name, info.session);
      return false;
    }
    if (!who.sessions.empty() && who.sessions.back().id >= session.id) {
      why = text::format("{}'s sessions are not in their order", name);
      return false;
    }
    const bool was_over = model_.is_over(session.id, stopped_);
    if (was_over && (was_clean_ || was_swept(lease.expires))) {
      why = text::format("{}/{} had expired before the stop", name, info.session);
      return false;
    }
    known.erase(same);
    who.sessions.push_back(session);
  }
  for (Model::Session& each : known) {
    const bool is_over = model_.is_over(each.id, stopped_);
    if (each.overlap) {
      const Machine::Gone* refusal = find_refusal(name, each);
      const Model::Gone gone = gone_by_refusal(each);
      const bool may_be_forgotten = !is_over && model_.is_forgotten(gone, now);
      if (refusal != nullptr || may_be_forgotten) {
        if (!match_refusal(state, name, each, refusal, why)) return false;
        if (lies_) who.unsettled = each;
        if (refusal != nullptr) who.gone[each.name] = gone;
        ++recorded_[name].most.denials;  // at the first look
        continue;
      }
    }
    if (is_over) continue;
    why = text::format("{}/{} is lost", name, each.name);
    return false;
  }
  return true;
}

// A hold-off that is over goes some time; what is stored of it after a reboot may revive it, for as
// long as a hold-off is.
bool Driver::match_hold_offs(const std::string& name, Model::User& who, std::string& why) {
  const Now now = machine_.clock.now();
  std::vector<Machine::HoldOff> rows = found_hold_offs_[name];
  std::vector<Model::HoldOff> kept;
  for (Model::HoldOff& each : who.hold_offs) {
    const auto row = std::ranges::find_if(rows, [&each](const Machine::HoldOff& stored) {
      return stored.mark == each.mark && stored.session == each.session &&
             stored.device == each.device && stored.address == each.address &&
             stored.since == each.wall;
    });
    const Instant over = each.since + kDefaultHoldOff;
    if (row == rows.end()) {
      if (over <= stopped_.instant) continue;
      why = text::format("that {}/{} is held off is lost", name, each.session);
      return false;
    }
    // One that seems to be younger may stand before it, and a failed commit leaves it to the next
    // service.
    if (trouble_ < over && was_swept(over + kDefaultHoldOff)) {
      why = text::format("that {}/{} is held off was over long before", name, each.session);
      return false;
    }
    rows.erase(row);
    each.other_boot = each.other_boot || rebooted_;
    if (each.other_boot) {
      each.since = std::min(Instant((each.wall - now.offset()).time_since_epoch()), now.instant);
    }
    kept.push_back(each);
  }
  who.hold_offs = std::move(kept);
  if (rows.empty()) return true;
  why = text::format("nobody knows that {}/{} is held off", name, rows.front().session);
  return false;
}

// What they come to, with nobody's lease over.
bool Driver::match_limits(const Model::State& found, std::string& why) {
  Now stopped = machine_.clock.now();
  stopped.instant = Instant::min();
  Model trial = model_;
  trial.adopt(found);
  std::vector<Command> commands{ListPlans{}, ListLimits{}};
  for (const std::string& name : kUsers) commands.emplace_back(ShowLimit{*Id::parse("user", name)});
  for (const Command& command : commands) {
    machine_.service().submit(command, machine_.clock.now(), [&](const Result<Answer>& answer) {
      const std::string expected = text_of(trial.give(command, stopped).answer);
      if (answer && text_of(*answer) != expected) {
        why = text::format("expected {}, found {}", expected, text_of(*answer));
      }
    });
  }
  return why.empty();
}

}  // namespace concur::simulation
