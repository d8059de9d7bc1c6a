#include "api/metrics.hpp"

#include "support/fleet_figures.hpp"
#include "support/moments.hpp"

#include <doctest/doctest.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::FakeClock;

namespace {

DaemonInfo info() {
  DaemonInfo info;
  info.version = "1.2.3";
  info.started = FakeClock().now().instant;
  info.connections = [] { return std::size_t{7}; };
  info.most_connections = 4096;
  return info;
}

std::string text_of(const Figures& figures, const DaemonInfo& daemon = info()) {
  FakeClock clock;
  clock.tick(90'500ms);
  return metrics_text(figures, daemon, clock.now(), {12, 1024, 5'000'000});
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

// The metric that a sample belongs to: a histogram's samples have its name and one of three ends.
std::string family_of(const std::string& name, const std::map<std::string, std::string>& types) {
  for (const char* end : {"_bucket", "_sum", "_count"}) {
    if (!name.ends_with(end)) continue;
    const std::string family = name.substr(0, name.size() - std::string(end).size());
    if (types.contains(family) && types.at(family) == "histogram") return family;
  }
  return name;
}

}  // namespace

TEST_CASE("metrics_text is well-formed") {
  static const std::regex kSample(
      R"re(([a-z_]+)(\{[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-z_]+="[^"\\\n]*")*\})? [0-9.e+-]+)re");
  static const std::regex kComment("# (HELP|TYPE) (concurrencyd_[a-z_]+) (.+)");
  std::map<std::string, std::string> types;
  std::set<std::string> helped;
  std::set<std::string> samples;
  std::string family;
  Figures figures;
  figures.service.fleet = test::a_fleet();
  for (const std::string& line : lines_of(text_of(figures))) {
    std::smatch parts;
    if (std::regex_match(line, parts, kComment)) {
      if (parts[1] == "HELP") {
        CHECK_MESSAGE(helped.insert(parts[2]).second, line);
      } else {
        CHECK_MESSAGE(types.emplace(parts[2], parts[3]).second, line);
        CHECK(helped.contains(parts[2]));
      }
      family = parts[2];
      continue;
    }
    const bool is_sample = std::regex_match(line, parts, kSample);
    REQUIRE_MESSAGE(is_sample, line);
    CHECK_MESSAGE(family_of(parts[1], types) == family, line);
    CHECK_MESSAGE((types.at(family) == "counter") == family.ends_with("_total"), line);
    CHECK_MESSAGE(samples.insert(line.substr(0, line.rfind(' '))).second, line);
  }
  CHECK(types.size() == helped.size());
  CHECK(text_of(Figures()).ends_with('\n'));
}

TEST_CASE("metrics_text") {
  Figures figures;
  ServiceStatus& status = figures.service;
  SUBCASE("says what the state is") {
    status.sessions = 5;
    status.users = 2;
    status.policy.limit = 4;
    status.policy.lease = 1500ms;
    std::get<DatabaseStatus>(status.storage).wal_bytes = 4096;
    const std::string text = text_of(figures);
    CHECK(has_line(text, "concurrencyd_build_info{version=\"1.2.3\"} 1"));
    CHECK(has_line(text, "concurrencyd_sessions 5"));
    CHECK(has_line(text, "concurrencyd_users 2"));
    CHECK(has_line(text, "concurrencyd_limit_sessions 4"));
    CHECK(has_line(text, "concurrencyd_lease_seconds 1.5"));
    CHECK(has_line(text, "concurrencyd_wal_bytes 4096"));
    CHECK(has_line(text, "concurrencyd_healthy 1"));
    CHECK(has_line(text, "concurrencyd_connections 7"));
    CHECK(has_line(text, "concurrencyd_open_files 12"));
    CHECK(has_line(text, "concurrencyd_start_time_seconds 1795449600.000"));
    CHECK(has_line(text, "concurrencyd_uptime_seconds 90.5"));
  }
  SUBCASE("a commit that failed is ill health") {
    status.trouble = "cannot commit";
    CHECK(has_line(text_of(figures), "concurrencyd_healthy 0"));
  }
  SUBCASE("counts by outcome") {
    figures.commands.counts.starts.would_deny = 3;
    figures.commands.counts.heartbeats.gone = 4;
    figures.events.evictions.total = 9;
    const std::string text = text_of(figures);
    CHECK(has_line(text, "concurrencyd_starts_total{outcome=\"would_deny\"} 3"));
    CHECK(has_line(text, "concurrencyd_starts_total{outcome=\"started\"} 0"));
    CHECK(has_line(text, "concurrencyd_heartbeats_total{outcome=\"gone\"} 4"));
    CHECK(has_line(text, "concurrencyd_sessions_evicted_total 9"));
  }
  SUBCASE("who waits for room, what became of those who did, and how long they waited") {
    status.waiting = 2;
    status.waits.left = 3;
    status.waits.durations.add(1'500);
    status.waits.durations.add(4'000'000);
    const std::string text = text_of(figures);
    CHECK(has_line(text, "concurrencyd_waiting_starts 2"));
    CHECK(has_line(text, "concurrencyd_waits_total{outcome=\"left\"} 3"));
    CHECK(has_line(text, "concurrencyd_waits_total{outcome=\"denied\"} 0"));
    CHECK(has_line(text, "concurrencyd_wait_duration_seconds_bucket{le=\"2.5\"} 1"));
    CHECK(has_line(text, "concurrencyd_wait_duration_seconds_bucket{le=\"3600\"} 1"));
    CHECK(has_line(text, "concurrencyd_wait_duration_seconds_sum 4001.5"));
  }
  SUBCASE("histograms add up, in seconds") {
    Histogram& starts =
        figures.commands.counts.durations[static_cast<std::size_t>(CommandKind::kStart)];
    starts.add(50'000);
    starts.add(200'000);
    starts.add(20'000'000'000);
    const std::string text = text_of(figures);
    const std::string name = "concurrencyd_request_duration_seconds";
    CHECK(has_line(text, name + "_bucket{command=\"start\",le=\"0.0001\"} 1"));
    CHECK(has_line(text, name + "_bucket{command=\"start\",le=\"0.00025\"} 2"));
    CHECK(has_line(text, name + "_bucket{command=\"start\",le=\"10\"} 2"));
    CHECK(has_line(text, name + "_bucket{command=\"start\",le=\"+Inf\"} 3"));
    CHECK(has_line(text, name + "_count{command=\"start\"} 3"));
    CHECK(has_line(text, name + "_sum{command=\"start\"} 20.00025"));
    CHECK(has_line(text, name + "_count{command=\"end\"} 0"));
  }
  SUBCASE("tells of the fleet where there is one") {
    CHECK(text_of(figures).find("fleet") == std::string::npos);
    figures.service.fleet = test::a_fleet();
    const std::string text = text_of(figures);
    const std::string fleet = "concurrencyd_fleet_";
    CHECK(has_line(text, fleet + "up{primary=\"10.0.0.1:6379\"} 1"));
    CHECK(has_line(text, fleet + "up{primary=\"10.0.0.2:6379\"} 0"));
    CHECK(has_line(text, fleet + "degraded 1"));
    CHECK(has_line(text, fleet + "short_of_replicas{primary=\"10.0.0.2:6379\"} 1"));
    CHECK(has_line(text, fleet + "clock_offset_seconds{primary=\"10.0.0.1:6379\"} 0.001"));
    CHECK(text.find("clock_offset_seconds{primary=\"10.0.0.2") == std::string::npos);
    CHECK(has_line(text, fleet + "boxes 2"));
    CHECK(has_line(text, fleet + "boxes_differing 1"));
    CHECK(has_line(text, fleet + "requests_total{result=\"answered\"} 10"));
    CHECK(has_line(text, fleet + "requests_total{result=\"unavailable\"} 3"));
    CHECK(has_line(text, fleet + "request_duration_seconds_count 1"));
    CHECK(has_line(text, fleet + "conflicts_total 4"));
    CHECK(has_line(text, fleet + "redirects_total{kind=\"readonly\"} 7"));
    CHECK(has_line(text, fleet + "reconnects_total 9"));
    CHECK(has_line(text, fleet + "local_decisions_total{result=\"refused\"} 15"));
    CHECK(has_line(text, fleet + "unacknowledged_total 16"));
    CHECK(has_line(text, fleet + "reclaimed_total 17"));
    figures.service.fleet->state = FleetStatus::State::kOk;
    CHECK(has_line(text_of(figures), fleet + "degraded 0"));
  }
  SUBCASE("a label's value is escaped") {
    DaemonInfo odd = info();
    odd.version = "a\"b\\c\nd";
    CHECK(has_line(text_of(figures, odd), R"(concurrencyd_build_info{version="a\"b\\c\nd"} 1)"));
  }
}
