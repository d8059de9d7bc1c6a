#include "daemon/settings.hpp"

#include "base/duration.hpp"
#include "base/socket_path.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"
#include "daemon/fleet_settings.hpp"
#include "net/tcp_address.hpp"
#include "rules/rule_text.hpp"
#include "session/wording.hpp"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

namespace concur {

namespace {

template <class T>
std::optional<T> parse_number(const std::string& text, int base, T most) {
  T value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, failed] = std::from_chars(text.data(), end, value, base);
  if (failed != std::errc() || rest != end || value > most) return std::nullopt;
  return value;
}

// A value that is one of a few words.
template <class T>
using Words = std::span<const std::pair<std::string_view, T>>;

template <class T>
Result<void> set_word(Words<T> words, const std::string& text, T& into) {
  std::string takes;
  for (const auto& [word, value] : words) {
    if (text == word) {
      into = value;
      return {};
    }
    takes += takes.empty() ? "" : word == words.back().first ? " or " : ", ";
    takes += word;
  }
  return Error{ErrorKind::kInvalid, "it takes " + takes};
}

template <class T>
std::string get_word(Words<T> words, T value) {
  for (const auto& [word, of] : words) {
    if (of == value) return std::string(word);
  }
  return {};
}

const std::pair<std::string_view, OnLimit> kOnLimits[] = {
    {word_of(OnLimit::kDeny), OnLimit::kDeny},
    {word_of(OnLimit::kEvictOldest), OnLimit::kEvictOldest},
    {word_of(OnLimit::kEvictNewest), OnLimit::kEvictNewest}};
constexpr std::pair<std::string_view, Mode> kModes[] = {{"enforce", Mode::kEnforce},
                                                        {"observe", Mode::kObserve}};
constexpr std::pair<std::string_view, Durability> kDurabilities[] = {
    {"full", Durability::kFull}, {"normal", Durability::kNormal}};
constexpr std::pair<std::string_view, LogLevel> kLogLevels[] = {{"error", LogLevel::kError},
                                                                {"warning", LogLevel::kWarning},
                                                                {"info", LogLevel::kInfo},
                                                                {"debug", LogLevel::kDebug}};
constexpr std::pair<std::string_view, LogFormat> kLogFormats[] = {{"text", LogFormat::kText},
                                                                  {"json", LogFormat::kJson}};

Result<void> set_path(std::string& into, const std::string& value) {
  if (value.empty()) return Error{ErrorKind::kInvalid, "it takes a path"};
  into = value;
  return {};
}

Result<void> set_limit(Settings& into, const std::string& value) {
  const auto limit = parse_limit(value);
  if (!limit) return limit.error();
  into.service.policy.limit = limit->limit;
  into.service.policy.counts = limit->counts;
  return {};
}

Result<void> set_start_rate(Settings& into, const std::string& value) {
  const auto rate = parse_number<std::uint32_t>(value, 10, kMaxStartRate);
  if (!rate) {
    return Error{ErrorKind::kInvalid,
                 text::format("it takes a whole number from 0 (any number) to {}", kMaxStartRate)};
  }
  into.service.policy.start_rate = *rate;
  return {};
}

Result<Millis> parse_lease(const std::string& value) {
  const auto lease = parse_duration(value);
  if (!lease) return lease.error();
  if (*lease < kMinLease || *lease > kMaxLease) {
    return Error{ErrorKind::kInvalid, text::format("it takes {} to {}", format_duration(kMinLease),
                                                   format_duration(kMaxLease))};
  }
  return *lease;
}

Result<void> set_lease(Settings& into, const std::string& value) {
  const auto lease = parse_lease(value);
  if (!lease) return lease.error();
  into.service.policy.lease = *lease;
  return {};
}

Result<void> set_hold_off(Settings& into, const std::string& value) {
  const auto hold_off = parse_duration(value);
  if (!hold_off) return hold_off.error();
  if (*hold_off > kMaxHoldOff) {
    return Error{ErrorKind::kInvalid,
                 text::format("it takes 0 (off) to {}", format_duration(kMaxHoldOff))};
  }
  into.service.policy.hold_off = *hold_off;
  return {};
}

// "off" is none.
Result<Millis> parse_or_off(const std::string& value) {
  return value == "off" ? Result<Millis>(Millis(0)) : parse_duration(value);
}

std::string format_or_off(Millis duration) {
  return duration == Millis(0) ? std::string("off") : format_duration(duration);
}

Result<void> set_longest(Settings& into, const std::string& value) {
  const auto longest = parse_or_off(value);
  if (!longest) return longest.error();
  if (*longest != Millis(0) && (*longest < kMinLongest || *longest > kMaxLongest)) {
    return Error{ErrorKind::kInvalid,
                 text::format("it takes off, or {} to {}", format_duration(kMinLongest),
                              format_duration(kMaxLongest))};
  }
  into.service.policy.longest = *longest;
  return {};
}

Result<void> set_overlap(Settings& into, const std::string& value) {
  const auto overlap = parse_or_off(value);
  if (!overlap) return overlap.error();
  if (*overlap > kMaxOverlap) {
    return Error{ErrorKind::kInvalid,
                 text::format("it takes off, or up to {}", format_duration(kMaxOverlap))};
  }
  into.service.policy.overlap = *overlap;
  return {};
}

Result<void> set_required(Settings& into, const std::string& value) {
  std::vector<Attribute> required;
  constexpr std::string_view kBlank = " \t";
  for (std::string_view rest = value; !rest.empty();) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    std::string_view name = rest.substr(0, comma);
    name.remove_prefix(std::min(name.find_first_not_of(kBlank), name.size()));
    name = name.substr(0, name.find_last_not_of(kBlank) + 1);
    const bool ends_so = comma + 1 == rest.size();
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    if (name.empty() || ends_so || !is_utf8(name) || has_control(name)) {
      return Error{ErrorKind::kInvalid, "it takes attributes between commas, such as type,kind"};
    }
    Attribute attribute = attribute_of(name);
    if (std::ranges::find(required, attribute) != required.end()) {
      return Error{ErrorKind::kInvalid, text::format("it has {} twice", name)};
    }
    required.push_back(std::move(attribute));
  }
  into.service.policy.required = std::move(required);
  return {};
}

std::string get_required(const Settings& from) {
  std::string names;
  for (const Attribute& each : from.service.policy.required) {
    names += names.empty() ? "" : ",";
    names += name_of(each);
  }
  return names;
}

Result<void> set_history(Settings& into, const std::string& value) {
  const auto history = parse_duration(value);
  if (!history) return history.error();
  if (*history < kMinHistory || *history > kMaxHistory) {
    return Error{ErrorKind::kInvalid,
                 text::format("it takes {} to {}", format_duration(kMinHistory),
                              format_duration(kMaxHistory))};
  }
  into.service.history = *history;
  return {};
}

Result<void> set_max_sessions(Settings& into, const std::string& value) {
  const auto most = parse_number<std::uint32_t>(value, 10, kMaxMaxSessions);
  if (!most) {
    return Error{
        ErrorKind::kInvalid,
        text::format("it takes a whole number from 0 (any number) to {}", kMaxMaxSessions)};
  }
  into.service.policy.max_sessions = *most;
  return {};
}

Result<void> set_denial_message(Settings& into, const std::string& value) {
  if (auto checked = check_denial_wording(value); !checked) return checked;
  into.service.policy.denial = value;
  return {};
}

Result<void> set_socket_mode(Settings& into, const std::string& value) {
  const auto mode = parse_number<mode_t>(value, 8, 0777);
  if (!mode) return Error{ErrorKind::kInvalid, "it takes an octal file mode such as 0660"};
  into.socket_mode = *mode;
  return {};
}

Result<void> set_listen(Settings& into, const std::string& value) {
  if (!value.empty()) {
    if (const auto address = parse_tcp_address(value); !address) return address.error();
  }
  into.listen = value;
  return {};
}

Result<void> set_sources(Sources& into, const std::string& value) {
  auto sources = parse_sources(value);
  if (!sources) return sources.error();
  into = std::move(*sources);
  return {};
}

// Of what must be known.
Result<void> set_some_sources(Sources& into, const std::string& value) {
  if (value.find_first_not_of(' ') == std::string::npos) {
    return Error{ErrorKind::kInvalid, "it takes one source at least"};
  }
  return set_sources(into, value);
}

Result<void> set_authorize_uri(Settings& into, const std::string& value) {
  const auto field = parse_sources("header:" + value);
  if (!field || field->size() != 1) {
    return Error{ErrorKind::kInvalid, "it takes the name of a header's field"};
  }
  into.authorize.uri = field->front().name;
  return {};
}

Result<void> set_authorize_lease(Settings& into, const std::string& value) {
  if (value.empty()) {
    into.authorize.lease.reset();
    return {};
  }
  const auto lease = parse_lease(value);
  if (!lease) return lease.error();
  into.authorize.lease = *lease;
  return {};
}

bool always(const Settings& /*to*/) { return true; }

constexpr Setting kTable[] = {
    {"socket", "PATH", "listen on the Unix socket at PATH", false, always,
     [](Settings& s, const std::string& v) { return set_path(s.socket, socket_path_of(v)); },
     [](const Settings& s) { return s.socket; }},
    {"database", "PATH", "keep the sessions in the SQLite database at PATH", false, always,
     [](Settings& s, const std::string& v) { return set_path(s.database, v); },
     [](const Settings& s) { return s.database; }},
    {"limit", "N", "how many sessions of a user may be active at once; 0: unlimited", true, always,
     set_limit,
     [](const Settings& s) {
       return to_text(LimitText{s.service.policy.limit, s.service.policy.counts});
     }},
    {"lease", "DURATION", "how long a session stays active without a heartbeat", true, always,
     set_lease, [](const Settings& s) { return format_duration(s.service.policy.lease); }},
    {"on-limit", "deny|evict-oldest|evict-newest", "what to do with a start above the limit", true,
     always,
     [](Settings& s, const std::string& v) {
       return set_word<OnLimit>(kOnLimits, v, s.service.policy.on_limit);
     },
     [](const Settings& s) { return get_word<OnLimit>(kOnLimits, s.service.policy.on_limit); }},
    {"hold-off", "DURATION",
     "how long an evicted viewer may not evict, and who evicted it stays; 0: off", true, always,
     set_hold_off, [](const Settings& s) { return format_duration(s.service.policy.hold_off); }},
    {"longest", "DURATION", "end a session at that age, however often it is renewed; off: never",
     true, always, set_longest,
     [](const Settings& s) { return format_or_off(s.service.policy.longest); }},
    {"overlap", "DURATION",
     "let one start above the limit in for so long, as players do that change over; off: none",
     true, always, set_overlap,
     [](const Settings& s) { return format_or_off(s.service.policy.overlap); }},
    {"required-attributes", "NAMES",
     "refuse starts as invalid that do not say these, such as type,kind; empty: none", true, always,
     set_required, get_required},
    {"mode", "enforce|observe", "observe: admit what would be denied, and count and report it",
     true, always,
     [](Settings& s, const std::string& v) {
       return set_word<Mode>(kModes, v, s.service.policy.mode);
     },
     [](const Settings& s) { return get_word<Mode>(kModes, s.service.policy.mode); }},
    {"denial-message", "TEXT",
     "what a viewer who is denied is told, with {user}, {attempted}, {active}, {limit}; empty: a "
     "sentence that names the user",
     true, always, set_denial_message, [](const Settings& s) { return s.service.policy.denial; }},
    {"start-rate", "N", "starts per user and minute, without renewals; 0: unlimited", true, always,
     set_start_rate, [](const Settings& s) { return std::to_string(s.service.policy.start_rate); }},
    {"max-sessions", "N", "active sessions of all users, to bound memory; 0: unlimited", true,
     always, set_max_sessions,
     [](const Settings& s) { return std::to_string(s.service.policy.max_sessions); }},
    {"durability", "full|normal", "full: answer only once the change is on the disk", false, always,
     [](Settings& s, const std::string& v) {
       return set_word<Durability>(kDurabilities, v, s.durability);
     },
     [](const Settings& s) { return get_word<Durability>(kDurabilities, s.durability); }},
    {"history", "DURATION", "how long to keep the record of account sharing", true, always,
     set_history, [](const Settings& s) { return format_duration(s.service.history); }},
    {"socket-mode", "OCTAL", "the socket's file mode: who may connect", false, always,
     set_socket_mode, [](const Settings& s) { return text::format("{:04o}", s.socket_mode); }},
    {"socket-group", "NAME",
     "the socket's group: whose members may connect; empty: the daemon's own", false, always,
     [](Settings& s, const std::string& v) -> Result<void> {
       s.socket_group = v;
       return {};
     },
     [](const Settings& s) { return s.socket_group; }},
    {"admin-group", "NAME", "members of this group are operators; empty: none", false, always,
     [](Settings& s, const std::string& v) -> Result<void> {
       s.admin_group = v;
       return {};
     },
     [](const Settings& s) { return s.admin_group; }},
    {"listen", "ADDRESS:PORT", "also listen on this TCP address; empty: no TCP", false, always,
     set_listen, [](const Settings& s) { return s.listen; }},
    {"api-key-file", "FILE", "keys, one of which each TCP request must carry; empty: none", false,
     always,
     [](Settings& s, const std::string& v) -> Result<void> {
       s.api_key_file = v;
       return {};
     },
     [](const Settings& s) { return s.api_key_file; }},
    {"authorize-user", "SOURCES", "where /v1/authorize finds the user", true, always,
     [](Settings& s, const std::string& v) { return set_some_sources(s.authorize.user, v); },
     [](const Settings& s) { return to_text(s.authorize.user); }},
    {"authorize-session", "SOURCES", "where it finds the session", true, always,
     [](Settings& s, const std::string& v) { return set_some_sources(s.authorize.session, v); },
     [](const Settings& s) { return to_text(s.authorize.session); }},
    {"authorize-device", "SOURCES", "where it finds the device; empty: nowhere", true, always,
     [](Settings& s, const std::string& v) { return set_sources(s.authorize.device, v); },
     [](const Settings& s) { return to_text(s.authorize.device); }},
    {"authorize-ip", "SOURCES", "where it finds the viewer's address; empty: nowhere", true, always,
     [](Settings& s, const std::string& v) { return set_sources(s.authorize.ip, v); },
     [](const Settings& s) { return to_text(s.authorize.ip); }},
    {"authorize-content", "SOURCES", "where it finds what is watched; empty: nowhere", true, always,
     [](Settings& s, const std::string& v) { return set_sources(s.authorize.content, v); },
     [](const Settings& s) { return to_text(s.authorize.content); }},
    {"authorize-type", "SOURCES", "where it finds the type of the device; empty: nowhere", true,
     always, [](Settings& s, const std::string& v) { return set_sources(s.authorize.type, v); },
     [](const Settings& s) { return to_text(s.authorize.type); }},
    {"authorize-kind", "SOURCES", "where it finds whether live or vod is watched; empty: nowhere",
     true, always,
     [](Settings& s, const std::string& v) { return set_sources(s.authorize.kind, v); },
     [](const Settings& s) { return to_text(s.authorize.kind); }},
    {"authorize-uri", "FIELD", "the header's field with the URI that the viewer asked for", true,
     always, set_authorize_uri, [](const Settings& s) { return s.authorize.uri; }},
    {"authorize-lease", "DURATION", "how long what it starts stays active; empty: as lease", true,
     always, set_authorize_lease,
     [](const Settings& s) {
       return s.authorize.lease ? format_duration(*s.authorize.lease) : std::string();
     }},
    {"log-level", "error|warning|info|debug", "how much to log", true, always,
     [](Settings& s, const std::string& v) {
       return set_word<LogLevel>(kLogLevels, v, s.log_level);
     },
     [](const Settings& s) { return get_word<LogLevel>(kLogLevels, s.log_level); }},
    {"log-format", "text|json", "how log lines are written", false, always,
     [](Settings& s, const std::string& v) {
       return set_word<LogFormat>(kLogFormats, v, s.log_format);
     },
     [](const Settings& s) { return get_word<LogFormat>(kLogFormats, s.log_format); }},
};

// Those of a fleet stand before the last ones, which are about the log.
std::vector<Setting> make_table() {
  constexpr std::size_t kOfLog = 2;
  const auto fleet = fleet_setting_table();
  std::vector<Setting> table(std::begin(kTable), std::end(kTable));
  table.insert(table.end() - kOfLog, fleet.begin(), fleet.end());
  return table;
}

}  // namespace

std::span<const Setting> setting_table() {
  static const std::vector<Setting> kAll = make_table();
  return kAll;
}

}  // namespace concur
