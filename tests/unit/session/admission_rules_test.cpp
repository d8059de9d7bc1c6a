// Decisions with rules, against a second implementation that is as plain as can be: the points of
// the manual's RULES, one by one, over maps of texts.
#include "base/json_text.hpp"
#include "session/admission.hpp"
#include "session/hold_offs.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;

namespace {

using Attrs = std::map<std::string, std::string>;

struct Known {
  std::string name;
  Attrs attrs;
  std::string meta{};
  bool is_protected = false;

  std::string get(const std::string& key) const {
    const auto found = attrs.find(key);
    return found == attrs.end() ? "" : found->second;
  }
};

std::string meta_of(const Attrs& attrs) {
  std::string meta;
  for (const auto& [key, value] : attrs) {
    if (key == "device" || key == "ip" || key == "content") continue;
    meta += (meta.empty() ? "{" : ",") + json_string(key) + ":" + json_string(value);
  }
  return meta.empty() ? meta : meta + "}";
}

// A user as plain data: sessions by index, oldest first. No device is ever fought over.
struct PlainUser {
  std::vector<Known> sessions;
  bool held_off = false;
  std::optional<std::size_t> provisional{};
  bool refused_one = false;  // of late

  std::uint32_t active() const { return static_cast<std::uint32_t>(sessions.size()); }
  std::optional<SessionRef> on_device(const Applicant& start) const {
    for (SessionRef i = 0; i < sessions.size(); ++i) {
      if (sessions[i].get("device") == start.device) return i;
    }
    return std::nullopt;
  }
  std::optional<SessionRef> named(std::string_view session) const {
    for (SessionRef i = 0; i < sessions.size(); ++i) {
      if (sessions[i].name == session) return i;
    }
    return std::nullopt;
  }
  std::optional<SessionRef> oldest() const { return at(0); }
  std::optional<SessionRef> after(SessionRef session) const { return at(session + 1); }
  std::optional<SessionRef> newest() const { return sessions.empty() ? at(0) : at(active() - 1); }
  std::optional<SessionRef> before(SessionRef session) const {
    return session == 0 ? std::nullopt : at(session - 1);
  }
  Described described(SessionRef session) const {
    const Known& known = sessions[session];
    return {known.name, known.get("device"), known.get("ip")};
  }
  Attributes attributes(SessionRef session) const {
    const Known& known = sessions[session];
    return {of(known, "device"), of(known, "ip"), of(known, "content"), known.meta};
  }
  Millis hold_off(const Viewer&) const { return held_off ? 1min : 0min; }
  Millis protection(const Viewer& viewer) const {
    for (const Known& each : sessions) {
      if (each.is_protected && viewer == viewer_of(each)) return 2min;
    }
    return 0min;
  }
  Hands hands(const Viewer& viewer) const {
    return hands_of(std::vector<HoldOffs::One>(), viewer, 3min, Instant());
  }
  bool comes_back(const Applicant&, const Viewer&) const { return false; }
  std::optional<SessionRef> overlapping() const {
    return provisional ? at(static_cast<SessionRef>(*provisional)) : std::nullopt;
  }
  bool pauses_overlaps() const { return refused_one; }

  static Viewer viewer_of(const Known& known) {
    return concur::viewer_of(known.name, known.get("device"), known.get("ip"));
  }

 private:
  static std::string_view of(const Known& known, const std::string& key) {
    const auto found = known.attrs.find(key);
    return found == known.attrs.end() ? std::string_view() : std::string_view(found->second);
  }
  std::optional<SessionRef> at(SessionRef index) const {
    return index < sessions.size() ? std::optional(index) : std::nullopt;
  }
};

// --- the plain implementation ---

std::optional<std::string> value_of(const Known& session, const std::string& attribute) {
  // All addresses of the test are IPv4: each is its own network.
  const std::string value = session.get(attribute == "network" ? "ip" : attribute);
  return value.empty() ? std::nullopt : std::optional(value);
}

struct PlainRule {
  Rule rule;
  std::uint32_t max;
  bool is_limit = false;
};

bool matches(const Rule& rule, const Known& session) {
  for (const Term& term : rule.where) {
    const auto value = value_of(session, std::string(name_of(term.attribute)));
    if (!value) return false;
    bool found = false;
    for (const auto& each : term.values) {
      found = found || (each.is_beginning ? value->rfind(each.text, 0) == 0 : *value == each.text);
    }
    if (found == term.is_not) return false;
  }
  return true;
}

bool rule_applies(const PlainRule& in_force, const Known& start) {
  const Rule& rule = in_force.rule;
  if (!matches(rule, start)) return false;
  for (const Attribute& each : rule.per) {
    if (!value_of(start, std::string(name_of(each)))) return false;
  }
  return rule.kind != Rule::Kind::kDistinct || in_force.is_limit ||
         value_of(start, std::string(name_of(rule.distinct)));
}

struct Plain {
  bool admitted = false;
  bool provisional = false;
  std::optional<std::size_t> reconnected{};
  std::vector<std::size_t> evicted{};
  std::vector<std::string> violated{};
};

class PlainJudge {
 public:
  PlainJudge(const PlainUser& user, const Known& start, std::vector<PlainRule> rules,
             OnLimit on_limit, bool overlaps)
      : user_(user),
        start_(start),
        rules_(std::move(rules)),
        on_limit_(on_limit),
        overlaps_(overlaps) {}

  Plain judge() {
    Plain result;
    bool counts_devices = false;
    for (const PlainRule& each : rules_) {
      counts_devices = counts_devices ||
                       (rule_applies(each, start_) && each.rule.kind == Rule::Kind::kDistinct &&
                        name_of(each.rule.distinct) == "device");
    }
    if (!counts_devices && !start_.get("device").empty()) {
      for (std::size_t i = 0; i < user_.sessions.size() && !result.reconnected; ++i) {
        if (user_.sessions[i].get("device") == start_.get("device")) result.reconnected = i;
      }
    }
    place_ = result.reconnected;
    if (place_) gone_.insert(*place_);
    // Whoever takes the place of one that is let in for a while is let in for as long.
    result.provisional = place_ && place_ == user_.provisional;
    auto violated = look();
    if (!violated.empty() && is_let_in(violated)) {
      result.violated.clear();
      result.admitted = true;
      result.provisional = true;
      return result;
    }
    for (const PlainRule* each : violated) result.violated.push_back(each->rule.name);
    while (!violated.empty()) {
      for (const PlainRule* each : violated) {
        if (each->rule.kind == Rule::Kind::kForbid || on_limit_of(*each) == OnLimit::kDeny) {
          result.evicted.clear();
          return result;
        }
      }
      if (!evict_for(*violated.front(), result.evicted)) {
        result.evicted.clear();
        return result;
      }
      violated = look();
    }
    result.admitted = true;
    result.violated.clear();
    return result;
  }

 private:
  OnLimit on_limit_of(const PlainRule& rule) const {
    return rule.rule.on_limit.value_or(on_limit_);
  }

  // The point about overlaps: one more than the limit, or rules that count sessions, allow.
  bool is_let_in(const std::vector<const PlainRule*>& violated) {
    if (!overlaps_ || user_.refused_one) return false;
    if (user_.provisional && place_ != user_.provisional) return false;
    for (const PlainRule* each : violated) {
      if (each->rule.kind == Rule::Kind::kForbid) return false;
      if (each->rule.kind == Rule::Kind::kDistinct && !each->is_limit) return false;
      if (on_limit_of(*each) == OnLimit::kEvictOldest) return false;
      PlainRule with_one_more = *each;
      ++with_one_more.max;
      if (is_violated(with_one_more)) return false;
    }
    return true;
  }

  // Whether a session is counted together with the start, whoever leaves.
  bool counts(const PlainRule& in_force, const Known& session) const {
    if (!matches(in_force.rule, session)) return false;
    for (const Attribute& each : in_force.rule.per) {
      const std::string name(name_of(each));
      if (value_of(session, name) != value_of(start_, name)) return false;
    }
    return in_force.rule.kind != Rule::Kind::kDistinct || in_force.is_limit ||
           value_of(session, std::string(name_of(in_force.rule.distinct)));
  }

  std::string key_of(const PlainRule& in_force, const Known& session) const {
    const auto value = value_of(session, std::string(name_of(in_force.rule.distinct)));
    return value ? "=" + *value : "only " + session.name;
  }

  bool is_violated(const PlainRule& in_force) const {
    if (!rule_applies(in_force, start_)) return false;
    if (in_force.rule.kind == Rule::Kind::kForbid) return true;
    if (in_force.max == 0) return false;
    const bool distinct = in_force.rule.kind == Rule::Kind::kDistinct;
    const auto own = value_of(start_, std::string(name_of(in_force.rule.distinct)));
    std::set<std::string> counted;
    for (std::size_t i = 0; i < user_.sessions.size(); ++i) {
      const Known& each = user_.sessions[i];
      if (!counts(in_force, each)) continue;
      const auto theirs = value_of(each, std::string(name_of(in_force.rule.distinct)));
      if (place_ == i && (!distinct || theirs == own)) return false;
      if (gone_.contains(i)) continue;
      counted.insert(distinct ? key_of(in_force, each) : each.name);
    }
    if (distinct && own && counted.contains("=" + *own)) return false;
    return counted.size() + 1 > in_force.max;
  }

  std::vector<const PlainRule*> look() const {
    std::vector<const PlainRule*> violated;
    for (const PlainRule& each : rules_) {
      if (is_violated(each)) violated.push_back(&each);
    }
    return violated;
  }

  bool may_go(std::size_t i) const {
    const Viewer theirs = PlainUser::viewer_of(user_.sessions[i]);
    if (theirs == PlainUser::viewer_of(start_)) return true;
    return !user_.held_off && user_.protection(theirs) == Millis(0);
  }

  // One after the other, each time whoever is first in line then, until the rule holds.
  bool evict_for(const PlainRule& in_force, std::vector<std::size_t>& evicted) {
    while (is_violated(in_force)) {
      std::map<std::string, std::vector<std::size_t>> groups;
      for (std::size_t i = 0; i < user_.sessions.size(); ++i) {
        const Known& each = user_.sessions[i];
        if (gone_.contains(i) || !counts(in_force, each)) continue;
        const bool distinct = in_force.rule.kind == Rule::Kind::kDistinct;
        groups[distinct ? key_of(in_force, each) : "only " + each.name].push_back(i);
      }
      const bool newest = on_limit_of(in_force) == OnLimit::kEvictNewest;
      std::optional<std::vector<std::size_t>> next;
      for (const auto& [key, group] : groups) {
        if (!std::all_of(group.begin(), group.end(), [this](auto i) { return may_go(i); }))
          continue;
        const bool first =
            !next || (newest ? group.front() > next->front() : group.back() < next->back());
        if (first) next = group;
      }
      if (!next) return false;
      for (const std::size_t each : *next) {
        gone_.insert(each);
        evicted.push_back(each);
      }
    }
    return true;
  }

  const PlainUser& user_;
  const Known& start_;
  std::vector<PlainRule> rules_;
  OnLimit on_limit_;
  bool overlaps_;
  std::set<std::size_t> gone_{};
  std::optional<std::size_t> place_{};
};

// --- random states ---

class Chance {
 public:
  explicit Chance(unsigned seed) : random_(seed) {}
  std::size_t below(std::size_t end) { return random_() % end; }
  bool one_in(std::size_t n) { return below(n) == 0; }

  Attribute attribute() {
    return attribute_of(
        std::vector<std::string>{"device", "network", "content", "type", "kind"}[below(5)]);
  }
  Attrs attrs() {
    Attrs attrs;
    if (!one_in(3)) attrs["device"] = "d" + std::to_string(below(4));
    if (!one_in(3)) attrs["ip"] = "192.0.2." + std::to_string(below(3));
    if (!one_in(3)) attrs["content"] = "c" + std::to_string(below(3));
    if (!one_in(3)) attrs["type"] = std::vector<std::string>{"tv", "tablet", "phone"}[below(3)];
    if (!one_in(3)) attrs["kind"] = one_in(2) ? "live" : "vod";
    return attrs;
  }
  Known session(const std::string& name) {
    Known known{name, attrs()};
    known.meta = meta_of(known.attrs);
    return known;
  }
  Rule rule(const std::string& name) {
    Rule rule;
    rule.name = name;
    rule.kind = one_in(8)   ? Rule::Kind::kForbid
                : one_in(2) ? Rule::Kind::kDistinct
                            : Rule::Kind::kSessions;
    rule.max = 1 + static_cast<std::uint32_t>(below(3));
    if (rule.kind == Rule::Kind::kDistinct) rule.distinct = attribute();
    if (rule.kind != Rule::Kind::kForbid) {
      if (one_in(3)) rule.per.push_back(attribute());
      if (one_in(2)) rule.on_limit = static_cast<OnLimit>(below(3));
    }
    if (rule.kind == Rule::Kind::kForbid || one_in(2)) {
      Term term{attribute_of(one_in(2) ? "type" : "kind"), one_in(3), {}};
      const std::vector<Term::Value> values = {{"tv"}, {"t", true}, {"phone"}, {"live"}, {"vod"}};
      term.values.push_back(values[below(values.size())]);
      if (one_in(2)) term.values.push_back(values[below(values.size())]);
      rule.where.push_back(term);
    }
    return rule;
  }

 private:
  std::mt19937 random_;
};

std::string text_of(const std::vector<std::size_t>& list) {
  std::string text;
  for (const std::size_t each : list) text += " " + std::to_string(each);
  return text;
}

void compare(Chance& chance) {
  PlainUser user;
  for (std::size_t n = chance.below(7); n > 0; --n) {
    user.sessions.push_back(chance.session("s" + std::to_string(user.sessions.size())));
    user.sessions.back().is_protected = chance.one_in(6);
  }
  user.held_off = chance.one_in(6);
  if (!user.sessions.empty() && chance.one_in(6)) {
    user.provisional = chance.below(user.sessions.size());
  }
  user.refused_one = chance.one_in(6);
  const Known start = chance.session("new");
  std::vector<Rule> rules;
  for (std::size_t n = chance.below(5); n > 0; --n) {
    rules.push_back(chance.rule("r" + std::to_string(rules.size())));
  }
  Terms terms;
  terms.limit = static_cast<std::uint32_t>(chance.below(5));
  terms.on_limit = static_cast<OnLimit>(chance.below(3));
  if (chance.one_in(2)) terms.overlap = 5s;
  if (chance.one_in(3)) {
    terms.counts = std::vector<Attribute::Kind>{Attribute::Kind::kDevice, Attribute::Kind::kNetwork,
                                                Attribute::Kind::kContent}[chance.below(3)];
  }
  std::vector<PlainRule> plain{{plain_limit_rule(terms.counts), terms.limit, true}};
  for (const Rule& each : rules) {
    const std::uint32_t max = chance.one_in(8) ? kUnlimited : each.max;
    terms.rules.push_back({&each, max});
    plain.push_back({each, max});
  }

  const std::string device = start.get("device");
  const std::string ip = start.get("ip");
  const std::string content = start.get("content");
  Applicant asked{start.name, device, {}, ip, content, start.meta};
  const Admission got = admit(asked, terms, user);
  const Plain wanted = PlainJudge(user, start, plain, terms.on_limit, terms.overlap > 0ms).judge();

  std::string rules_text = "limit " + std::to_string(terms.limit);
  for (const RuleInForce& each : terms.rules) rules_text += "; " + each.rule->name;
  INFO(rules_text);
  CHECK((got.verdict == Admission::Verdict::kAdmitted) == wanted.admitted);
  CHECK(got.overlaps == wanted.provisional);
  CHECK((got.reconnected ? std::to_string(*got.reconnected) : "") ==
        (wanted.reconnected ? std::to_string(*wanted.reconnected) : ""));
  CHECK(text_of({got.evicted.begin(), got.evicted.end()}) == text_of(wanted.evicted));
  std::vector<std::string> violated;
  for (const Violation& each : got.violations) violated.push_back(each.rule().name);
  CHECK(violated == wanted.violated);
}

}  // namespace

TEST_CASE("Decisions with rules are those of a plain implementation of the manual's points") {
  const char* const many = std::getenv("CONCUR_TEST_LONG");
  const int states = many != nullptr && *many != '\0' ? 1'000'000 : 40'000;
  Chance chance(1);
  for (int i = 0; i < states; ++i) compare(chance);
}
