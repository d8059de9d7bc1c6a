#include "text.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <vector>

namespace concur::simulation {

namespace {

std::string told(const std::optional<StartToken>& start) {
  return start ? text::format(" of {}", StartTokenText(*start).view()) : "";
}

std::string told(const Details& details) {
  return text::format("[{}|{}|{}|{}]", details.device, details.ip, details.content, details.meta);
}

std::string grace(const std::optional<WallTime>& ends_at) {
  return ends_at ? " for a while, until " + format_utc(*ends_at) : "";
}

std::string text_of(const SessionInfo& info) {
  return text::format(" {}/{} since {} seen {} until {} {}{}", info.user, info.session,
                      format_utc(info.started_at), format_utc(info.last_seen_at),
                      format_utc(info.expires_at), told(info.details), grace(info.grace_ends_at));
}

std::string text_of(const std::vector<SessionInfo>& sessions, bool in_order) {
  std::vector<std::string> lines;
  for (const SessionInfo& each : sessions) lines.push_back(text_of(each));
  if (!in_order) std::ranges::sort(lines);
  return text::format("{}", text::join(lines, ";"));
}

std::string word(std::optional<OnLimit> on_limit) {
  return on_limit ? std::string(word_of(*on_limit)) : "-";
}

std::string text_of(const std::optional<Eviction>& eviction) {
  if (!eviction) return "";
  return text::format(" by {} on [{}] at {}", eviction->by.session, eviction->by.device,
                      format_utc(eviction->at));
}

template <class T>
std::string number(const std::optional<T>& value) {
  return value ? std::to_string(*value) : "-";
}
std::string number(const std::optional<Millis>& value) {
  return value ? std::to_string(value->count()) : "-";
}

template <class T, class Show>
std::string patch(const char* name, const Patch<T>& value, const Show& show) {
  if (!value) return "";
  return text::format(" {}={}", name, *value ? show(**value) : "null");
}

struct AnswerText {
  std::string operator()(const Granted& a) const {
    return text::format(
        "granted {}/{} renewed {} active {} limit {} until {} every {} evicted [{}] would deny {} "
        "evict [{}]{}",
        a.user, a.session, a.renewed, a.active, a.limit, format_utc(a.expires_at),
        a.heartbeat_interval.count(), text::join(a.evicted, " "), a.would_deny,
        text::join(a.would_evict, " "), grace(a.grace_ends_at));
  }
  std::string operator()(const Explanation& a) const {
    return text::format("explained {}/{} would {} active {}", a.user, a.session,
                        static_cast<int>(a.would), a.active);
  }
  std::string operator()(const Throttled& a) const {
    return text::format("throttled {}/{}", a.user, a.session);
  }
  std::string operator()(const Denied& a) const {
    return text::format("denied {}/{} active {} attempted {} limit {} retry {} held {}:{}", a.user,
                        a.session, a.active, a.attempted, a.limit, number(a.retry_after),
                        number(a.hold_off), text_of(a.sessions, true));
  }
  std::string operator()(const Blocked& a) const {
    return text::format("blocked {}/{} active {} limit {} retry {} '{}'", a.user, a.session,
                        a.active, a.limit, number(a.retry_after), a.message);
  }
  std::string operator()(const UserBlock& a) const {
    const std::string until = a.until ? format_utc(*a.until) : "-";
    return a.blocked ? text::format("block {} since {} until {} '{}'", a.user, format_utc(a.since),
                                    until, a.message)
                     : text::format("no block {}", a.user);
  }
  std::string operator()(const BlockPage& a) const {
    std::vector<std::string> lines;
    for (const UserBlock& each : a.blocks) lines.push_back((*this)(each));
    std::ranges::sort(lines);
    return text::format("blocks: {}", text::join(lines, "; "));
  }
  std::string operator()(const Gone& a) const {
    return text::format("gone {}/{} why {}{} '{}'", a.user, a.session, static_cast<int>(a.reason),
                        text_of(a.eviction), a.message);
  }
  std::string operator()(const Unknown& a) const {
    return text::format("unknown {}/{}", a.user, a.session);
  }
  std::string operator()(const Ended& a) const {
    const std::string why = a.reason ? std::to_string(static_cast<int>(*a.reason)) : "-";
    return text::format("ended {}/{} {} active {} why {}{} '{}'", a.user, a.session, a.ended,
                        a.active, why, text_of(a.eviction), a.message);
  }
  std::string operator()(const UserSessions& a) const {
    return text::format("list {} active {} limit {}{}:{}", a.user, a.active, a.limit,
                        a.blocked ? " blocked" : "", text_of(a.sessions, true));
  }
  std::string operator()(const Page& a) const { return "all:" + text_of(a.sessions, false); }
  std::string operator()(const Purged& a) const {
    return text::format("purged {} dry {} users {} blocked {}", a.count, a.dry_run, a.users,
                        number(a.blocked));
  }
  std::string operator()(const UserLimit& a) const {
    return text::format("limit {} {} from {} plan [{}] {} active {}", a.user, a.limit,
                        static_cast<int>(a.from), a.plan, word_of(a.on_limit), a.active);
  }
  std::string operator()(const LimitPage& a) const {
    std::vector<std::string> lines;
    for (const UserLimit& each : a.limits) lines.push_back((*this)(each));
    std::ranges::sort(lines);
    return text::format("limits: {}", text::join(lines, "; "));
  }
  std::string operator()(const PlanInfo& a) const {
    return text::format("plan {} {} {} users {} above {}", a.plan, a.limit, word(a.on_limit),
                        a.users, a.users_above);
  }
  std::string operator()(const PlanList& a) const {
    std::string all = "plans:";
    for (const PlanInfo& each : a.plans) all += " " + (*this)(each) + ";";
    return all;
  }
  std::string operator()(const PlanRemoved& a) const {
    return text::format("plan {} removed {} users {}", a.plan, a.removed, a.users);
  }
  std::string operator()(const Refused& a) const {
    return text::format("refused {}", static_cast<int>(a.why.kind));
  }
};

struct CommandText {
  std::string operator()(const Start& c) const {
    return text::format("start {}/{} ttl {} limit {} {} on-limit {} replace {}{}{}{}",
                        c.user.text(), c.session.text(), number(c.ttl), number(c.limit),
                        told(c.details), word(c.on_limit),
                        c.replace       ? c.replace->text()
                        : c.replace_all ? "all"
                                        : "-",
                        c.refuse_repeat_above_limit ? " first service's" : "", told(c.start),
                        c.keeps_token ? " keeps its token" : "");
  }
  std::string operator()(const Heartbeat& c) const {
    return text::format("heartbeat {}/{} ttl {}{}", c.user.text(), c.session.text(), number(c.ttl),
                        told(c.start));
  }
  std::string operator()(const End& c) const {
    return text::format("end {}/{}{} '{}'", c.user.text(), c.session.text(), told(c.start),
                        c.message);
  }
  std::string operator()(const ListUser& c) const { return text::format("list {}", c.user.text()); }
  std::string operator()(const ListAll&) const { return "list all"; }
  std::string operator()(const Purge& c) const {
    return text::format("purge {} idle {} older {} ip {} device {} content {} block {}{} '{}'{}",
                        c.user ? c.user->text() : "all", c.idle.count(), c.older_than.count(), c.ip,
                        c.device, c.content, number(c.block), c.blocks_anyway ? " in any case" : "",
                        c.message, c.dry_run ? " dry" : "");
  }
  std::string operator()(const ShowLimit& c) const {
    return text::format("limit {}", c.user.text());
  }
  std::string operator()(const SetLimit& c) const {
    return text::format("set limit {}{}{}{}", c.user.text(),
                        patch("limit", c.limit, [](std::uint32_t n) { return std::to_string(n); }),
                        patch("plan", c.plan, [](const Id& id) { return std::string(id.text()); }),
                        patch("on-limit", c.on_limit,
                              [](OnLimit on_limit) { return std::string(word_of(on_limit)); }));
  }
  std::string operator()(const ListLimits&) const { return "limits"; }
  std::string operator()(const ShowPlan& c) const { return text::format("plan {}", c.plan.text()); }
  std::string operator()(const SetPlan& c) const {
    return text::format("set plan {} {}{}", c.plan.text(), number(c.limit),
                        patch("on-limit", c.on_limit,
                              [](OnLimit on_limit) { return std::string(word_of(on_limit)); }));
  }
  std::string operator()(const RemovePlan& c) const {
    return text::format("remove plan {}{}", c.plan.text(), c.force ? " by force" : "");
  }
  std::string operator()(const ListPlans&) const { return "plans"; }
  std::string operator()(const ShowBlock& c) const {
    return text::format("block {}", c.user.text());
  }
  std::string operator()(const SetBlock& c) const {
    return text::format("set block {} for {} '{}'", c.user.text(), number(c.length), c.message);
  }
  std::string operator()(const Unblock& c) const {
    return text::format("unblock {}", c.user.text());
  }
  std::string operator()(const ListBlocks&) const { return "blocks"; }
};

}  // namespace

std::string text_of(const Command& command) { return std::visit(CommandText(), command); }
std::string text_of(const Answer& answer) { return std::visit(AnswerText(), answer); }
std::string text_of(Instant instant) { return std::to_string(instant.time_since_epoch().count()); }

}  // namespace concur::simulation
