#include "load/dialect.hpp"
#include "load/loop.hpp"
#include "load/options.hpp"
#include "load/processor_time.hpp"
#include "load/work.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <iterator>
#include <string>

namespace {

using namespace concur::bench;

// Enough to let a server commit many starts at once, whatever the run itself does.
constexpr unsigned kPrepareConnections = 64;
constexpr unsigned kPreparePipeline = 16;

Dialect make_dialect(const Options& options) {
  const PeerTerms terms{.limit = options.limit, .lease = options.lease};
  switch (options.protocol) {
    case Protocol::http:
    case Protocol::echo:
      break;
    case Protocol::segments:
      return segments_dialect();
    case Protocol::resp:
      return resp_dialect(
          {.servers = options.servers, .directory = options.scripts, .terms = terms});
    case Protocol::cluster:
      return cluster_dialect(
          {.servers = options.servers, .directory = options.scripts, .terms = terms});
    case Protocol::postgres:
      return postgres_dialect(terms);
  }
  return options.flow == Flow::batch ? batch_dialect(options.pipeline) : http_dialect();
}

void prepare(const Options& options, const Dialect& dialect, const SessionNames& names) {
  Work fill(WorkKind::fill, {.users = options.users,
                             .first_user = options.first_user,
                             .prepared = 0,
                             .seed = options.seed});
  const bool cluster = options.protocol == Protocol::cluster;
  Loop loop({.servers = options.servers,
             .connections = kPrepareConnections,
             .pipeline = cluster ? 1 : kPreparePipeline,
             .bursts = false,
             .pace = {.requests = options.prepared(), .duration = {}, .rate = 0},
             .by_second = false,
             .expect_only_200 = false},
            dialect, names, fill);
  const Outcome outcome = loop.run();
  if (outcome.errors > 0) {
    throw std::runtime_error(fmt::format("cannot prepare the sessions: {}", outcome.first_error));
  }
}

Outcome measure(const Options& options) {
  const Dialect dialect = make_dialect(options);
  const SessionNames names(options.seed);
  const bool echo = options.protocol == Protocol::echo;
  if (options.prepares && options.prepared() > 0 && !echo) {
    prepare(options, dialect, names);
  }
  Work work(options.work, {.users = options.users,
                           .first_user = options.first_user,
                           .prepared = options.prepared(),
                           .seed = options.seed});
  Loop loop({.servers = options.servers,
             .connections = options.connections,
             .pipeline = options.pipeline,
             .bursts = options.flow != Flow::window,
             .pace = options.pace,
             .by_second = options.by_second,
             .expect_only_200 = echo},
            dialect, names, work);
  // Of a cluster it is spread over several.
  const pid_t server = options.servers.ports.empty() ? server_process(options.servers.socket) : 0;
  const auto server_before = processor_time(server);
  const auto client_before = processor_time(::getpid());
  Outcome outcome = loop.run();
  outcome.server_time = processor_time(server) - server_before;
  outcome.client_time = processor_time(::getpid()) - client_before;
  return outcome;
}

std::string answers_json(const Outcome& outcome) {
  std::string json;
  for (std::size_t status = 0; status < Outcome::kStatuses; ++status) {
    if (outcome.answers[status] > 0) {
      fmt::format_to(std::back_inserter(json), "{}\"{}\":{}", json.empty() ? "" : ",", status,
                     outcome.answers[status]);
    }
  }
  return json;
}

// The text may hold bytes of an answer; all that JSON would have to escape becomes a quote.
std::string harmless(std::string text) {
  std::replace_if(
      text.begin(), text.end(),
      [](unsigned char c) { return c < 0x20 || c > 0x7e || c == '"' || c == '\\'; }, '\'');
  return text;
}

double microseconds(std::chrono::nanoseconds duration) {
  return static_cast<double>(duration.count()) / 1000.0;
}

std::string latency_json(const Histogram& latency) {
  return fmt::format(R"({{"p50":{:.1f},"p99":{:.1f},"p999":{:.1f},"max":{:.1f}}})",
                     microseconds(latency.quantile(0.5)), microseconds(latency.quantile(0.99)),
                     microseconds(latency.quantile(0.999)), microseconds(latency.max()));
}

std::string by_second_json(const Outcome& outcome) {
  std::string json;
  for (const Histogram& second : outcome.by_second) {
    fmt::format_to(std::back_inserter(json), R"({}{{"requests":{},"latency_us":{}}})",
                   json.empty() ? "" : ",", second.total(), latency_json(second));
  }
  return json;
}

void print(const Options& options, const Outcome& outcome) {
  const auto each = [&](std::chrono::nanoseconds total) {
    return outcome.requests > 0 ? microseconds(total) / static_cast<double>(outcome.requests) : 0.0;
  };
  fmt::print(
      "{{\"work\":\"{}\",\"protocol\":\"{}\",\"connections\":{},\"pipeline\":{},\"users\":{},"
      "\"rate\":{},\"requests\":{},\"seconds\":{:.3f},\"per_second\":{:.1f},",
      name_of(options.work), name_of(options.protocol), options.connections, options.pipeline,
      options.users, options.pace.rate, outcome.requests, outcome.seconds,
      outcome.seconds > 0 ? static_cast<double>(outcome.requests) / outcome.seconds : 0.0);
  fmt::print(
      "\"latency_us\":{},\"by_second\":[{}],\"cpu_us\":{{\"server\":{:.2f},\"client\":{:.2f}}},"
      "\"answers\":{{{}}},\"errors\":{},\"first_error\":\"{}\"}}\n",
      latency_json(outcome.latency), by_second_json(outcome), each(outcome.server_time),
      each(outcome.client_time), answers_json(outcome), outcome.errors,
      harmless(outcome.first_error));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options = parse_options(argc, argv);
    if (options.help) {
      fmt::print("{}", kHelp);
      return 0;
    }
    const Outcome outcome = measure(options);
    print(options, outcome);
    return outcome.errors > 0 ? 1 : 0;
  } catch (const UsageError& error) {
    fmt::print(stderr, "load: {}\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "load: {}\n", error.what());
    return 1;
  }
}
