#include "load/options.hpp"

#include <fmt/format.h>

#include <getopt.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>
#include <vector>

namespace concur::bench {

constexpr std::string_view kHelp =
    R"(usage: load --socket PATH (--seconds S | --requests N) [OPTION]...
       load --protocol cluster --ports P,... (--seconds S | --requests N) [OPTION]...

Loads a server of stream limits over its Unix socket and prints one JSON object.

  --protocol http            concurrencyd, or one that answers as it does (default)
             segments        a proxy that asks concurrencyd before each segment of a video
             resp            Redis with the scripts
             cluster         a cluster of Redis with the scripts
             postgres        PostgreSQL with the functions
             echo            a server that answers 200 to every HTTP request
  --work start               starts of random users, new sessions (default)
         heartbeat           heartbeats of random active sessions
         denial              starts of users that are at their limit
         mixed               60 heartbeats to one start to one end
         churn               random sessions end, and their users start others
         fill                starts of all users in turn
  --connections N            (default 50)
  --pipeline P               unanswered requests a connection (default 1)
  --flow window              the next request follows as soon as one is answered (default)
         burst               P requests follow when the last P are all answered
         batch               as burst, and they are one request: http only
  --seconds S, --requests N  end after either; both may be given
  --rate R                   send R a second whether or not answers come, and count each
                             latency from the moment its request was due
  --by-second yes|no         latencies of each second too (default no)
  --users N                  (default 100000)
  --first-user N             the number of the first of them (default 0)
  --limit N                  what the server allows a user (default 3)
  --seed N                   names and order of sessions (default 1)
  --sessions N               how many sessions the work needs, instead of what is said below
  --prepare yes|no           whether to start the sessions that the work needs, or they are
                             there already: those of --work fill (default yes)
  --lease S                  seconds, for Redis and PostgreSQL only (default 90)
  --scripts DIR              start.lua, heartbeat.lua and end.lua, for Redis only
  --ports P,...              of the primaries on loopback, each of which owns as many slots, in
                             order; each of the N connections is one to each of them

The sessions that a work needs are started first and not counted: one a user for heartbeat,
mixed and churn, as many as the limit for denial. Exit codes: 0, 1 if any answer was not the
expected one or the server could not be reached, 2 usage.
)";

namespace {

constexpr std::array<std::pair<std::string_view, Protocol>, 6> kProtocols{
    {{"http", Protocol::http},
     {"segments", Protocol::segments},
     {"resp", Protocol::resp},
     {"cluster", Protocol::cluster},
     {"postgres", Protocol::postgres},
     {"echo", Protocol::echo}}};
constexpr std::array<std::pair<std::string_view, Flow>, 3> kFlows{
    {{"window", Flow::window}, {"burst", Flow::burst}, {"batch", Flow::batch}}};
constexpr std::array<std::pair<std::string_view, bool>, 2> kYesNo{{{"yes", true}, {"no", false}}};
constexpr std::array<std::pair<std::string_view, WorkKind>, 6> kWorks{
    {{"start", WorkKind::start},
     {"heartbeat", WorkKind::heartbeat},
     {"denial", WorkKind::denial},
     {"mixed", WorkKind::mixed},
     {"churn", WorkKind::churn},
     {"fill", WorkKind::fill}}};

constexpr std::uint32_t kMostUsers = 100'000'000;
constexpr unsigned kMostConnections = 4096;
constexpr unsigned kMostPipeline = 10'000;

template <typename Table>
auto by_name(const Table& table, std::string_view option, std::string_view value) {
  for (const auto& [name, entry] : table) {
    if (name == value) {
      return entry;
    }
  }
  throw UsageError(fmt::format("--{} does not take {}", option, value));
}

template <typename Table, typename Entry>
std::string_view name_in(const Table& table, Entry wanted) {
  for (const auto& [name, entry] : table) {
    if (entry == wanted) {
      return name;
    }
  }
  return "";
}

template <typename Number>
Number number(std::string_view option, std::string_view value, Number least, Number most) {
  Number result{};
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
  if (error != std::errc{} || end != value.data() + value.size() || result < least ||
      result > most) {
    throw UsageError(
        fmt::format("--{} takes a number from {} to {}, not {}", option, least, most, value));
  }
  return result;
}

std::vector<std::uint16_t> ports(std::string_view option, std::string_view value) {
  std::vector<std::uint16_t> all;
  while (!value.empty()) {
    const std::string_view each = value.substr(0, value.find(','));
    value.remove_prefix(std::min(value.size(), each.size() + 1));
    all.push_back(number<std::uint16_t>(option, each, 1, 65535));
  }
  return all;
}

void set(Options& options, std::string_view option, std::string_view value) {
  constexpr auto kAny = std::numeric_limits<std::uint64_t>::max();
  if (option == "socket") {
    options.servers.socket = value;
  } else if (option == "ports") {
    options.servers.ports = ports(option, value);
  } else if (option == "protocol") {
    options.protocol = by_name(kProtocols, option, value);
  } else if (option == "work") {
    options.work = by_name(kWorks, option, value);
  } else if (option == "connections") {
    options.connections = number(option, value, 1U, kMostConnections);
  } else if (option == "pipeline") {
    options.pipeline = number(option, value, 1U, kMostPipeline);
  } else if (option == "flow") {
    options.flow = by_name(kFlows, option, value);
  } else if (option == "prepare") {
    options.prepares = by_name(kYesNo, option, value);
  } else if (option == "by-second") {
    options.by_second = by_name(kYesNo, option, value);
  } else if (option == "seconds") {
    options.pace.duration = std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double>(number(option, value, 0.01, 86'400.0)));
  } else if (option == "requests") {
    options.pace.requests = number<std::uint64_t>(option, value, 1, kAny);
  } else if (option == "rate") {
    options.pace.rate = number(option, value, 0.01, 1e8);
  } else if (option == "users") {
    options.users = number(option, value, 1U, kMostUsers);
  } else if (option == "sessions") {
    options.sessions = number<std::uint64_t>(option, value, 0, kAny);
  } else if (option == "first-user") {
    options.first_user = number(option, value, 0U, kMostUsers);
  } else if (option == "limit") {
    options.limit = number(option, value, 1U, 1000U);
  } else if (option == "seed") {
    options.seed = number<std::uint64_t>(option, value, 0, kAny);
  } else if (option == "lease") {
    options.lease = std::chrono::seconds(number(option, value, 1, 1'000'000));
  } else if (option == "scripts") {
    options.scripts = value;
  } else {
    options.help = true;
  }
}

void check(const Options& options) {
  const bool cluster = options.protocol == Protocol::cluster;
  if (cluster ? options.servers.ports.empty() : options.servers.socket.empty()) {
    throw UsageError(cluster ? "--ports are missing" : "--socket is missing");
  }
  if (cluster && (options.pipeline > 1 || options.pace.rate > 0)) {
    throw UsageError("--protocol cluster takes no --pipeline and no --rate");
  }
  if (options.pace.requests == 0 && options.pace.duration.count() == 0) {
    throw UsageError("--seconds or --requests is missing");
  }
  if ((cluster || options.protocol == Protocol::resp) && options.scripts.empty()) {
    throw UsageError("--scripts is missing");
  }
  if (options.flow == Flow::batch && options.protocol != Protocol::http) {
    throw UsageError("--flow batch is for --protocol http");
  }
  // A burst that the end cuts short would never be answered.
  if (options.flow != Flow::window &&
      (options.pace.rate > 0 || options.pace.requests % options.pipeline != 0)) {
    throw UsageError("--flow burst and batch take no --rate, and --requests in whole bursts");
  }
}

}  // namespace

std::string_view name_of(Protocol protocol) { return name_in(kProtocols, protocol); }
std::string_view name_of(WorkKind work) { return name_in(kWorks, work); }

std::uint64_t Options::prepared() const {
  if (sessions > 0) {
    return sessions;
  }
  switch (work) {
    case WorkKind::fill:
    case WorkKind::start:
      return 0;
    case WorkKind::heartbeat:
    case WorkKind::mixed:
    case WorkKind::churn:
      return users;
    case WorkKind::denial:
      return std::uint64_t{users} * limit;
  }
  return 0;
}

Options parse_options(int argc, char** argv) {
  constexpr std::array<const char*, 19> kNames{
      "socket",  "protocol",   "work",      "connections", "pipeline", "seconds", "requests",
      "rate",    "users",      "limit",     "seed",        "lease",    "scripts", "flow",
      "prepare", "first-user", "by-second", "sessions",    "ports"};
  std::array<option, kNames.size() + 2> table{};
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    table[i] = {.name = kNames[i], .has_arg = required_argument, .flag = nullptr, .val = 1};
  }
  table[kNames.size()] = {.name = "help", .has_arg = no_argument, .flag = nullptr, .val = 1};

  Options options;
  opterr = 0;
  int index = 0;
  while (true) {
    const int found = ::getopt_long(argc, argv, ":", table.data(), &index);
    if (found == -1) {
      break;
    }
    if (found != 1) {
      throw UsageError(
          fmt::format("{}: {}", argv[optind - 1],
                      found == ':' ? "a value is missing" : "there is no such option"));
    }
    set(options, table[static_cast<std::size_t>(index)].name, optarg == nullptr ? "" : optarg);
  }
  if (optind < argc) {
    throw UsageError(fmt::format("there is no argument {}", argv[optind]));
  }
  if (!options.help) {
    check(options);
  }
  return options;
}

}  // namespace concur::bench
