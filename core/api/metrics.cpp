#include "api/metrics.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <utility>
#include <variant>

namespace concur {

namespace {

constexpr double kNanosASecond = 1e9;
constexpr double kMillisASecond = 1e3;

// In a label's value these three are escaped.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

double seconds(Millis time) { return std::chrono::duration<double>(time).count(); }

// Writes metrics one after the other: help and type, then all samples of that name.
class Exposition {
 public:
  template <class Number>
  void gauge(std::string_view name, std::string_view help, Number value) {
    head(name, "gauge", help);
    sample({}, {}, value);
  }
  void counter(std::string_view name, std::string_view help, std::uint64_t value) {
    head(name, "counter", help);
    sample({}, {}, value);
  }

  void head(std::string_view name, std::string_view type, std::string_view help) {
    name_ = text::format("concurrencyd_{}", name);
    text::append(out_, "# HELP {} {}\n# TYPE {} {}\n", name_, help, name_, type);
  }

  // Of the name in the head; labels without their braces.
  template <class Number>
  void sample(std::string_view suffix, std::string_view labels, Number value) {
    out_ += name_;
    out_ += suffix;
    if (!labels.empty()) text::append(out_, "{{{}}}", labels);
    text::append(out_, " {}\n", value);
  }

  // `unit` is how many of the histogram's own make one of the metric's.
  void histogram(std::string_view labels, const Histogram& histogram, double unit) {
    const std::string_view comma = labels.empty() ? "" : ",";
    std::uint64_t upto = 0;
    for (std::size_t i = 0; i < histogram.bounds().size(); ++i) {
      upto += histogram.in_bucket(i);
      const double bound = static_cast<double>(histogram.bounds()[i]) / unit;
      sample("_bucket", text::format("{}{}le=\"{}\"", labels, comma, bound), upto);
    }
    sample("_bucket", text::format("{}{}le=\"+Inf\"", labels, comma), histogram.count());
    sample("_sum", labels, static_cast<double>(histogram.sum()) / unit);
    sample("_count", labels, histogram.count());
  }

  std::string take() { return std::move(out_); }

 private:
  std::back_insert_iterator<std::string> end() { return std::back_inserter(out_); }

  std::string out_;
  std::string name_;
};

void write_daemon(Exposition& to, const DaemonInfo& info, const Now& now) {
  to.head("build_info", "gauge", "The version that runs; always 1.");
  to.sample({}, text::format("version=\"{}\"", escaped(info.version)), 1);
  const auto started = std::chrono::duration<double>(now.to_wall(info.started).time_since_epoch());
  to.gauge("start_time_seconds", "When the daemon started, in seconds since 1970.",
           text::format("{:.3f}", started.count()));
  to.gauge("uptime_seconds", "How long ago that was.",
           seconds(std::chrono::duration_cast<Millis>(now.instant - info.started)));
}

void write_state(Exposition& to, const ServiceStatus& status) {
  to.gauge("healthy", "1 while commits work, 0 while starts and ends are answered 503.",
           status.trouble.empty() ? 1 : 0);
  to.gauge("sessions", "Active sessions.", status.sessions);
  to.gauge("users", "Users who have any.", status.users);
  if (status.blocks) to.gauge("blocks", "Users whom operators keep out.", *status.blocks);
  to.gauge("limit_sessions", "Sessions of a user by default at most; 0 is no limit.",
           status.policy.limit);
  to.gauge("lease_seconds", "How long a session counts without a sign of life.",
           seconds(status.policy.lease));
}

void write_commands(Exposition& to, const CommandCounts& counts) {
  const auto outcome = [&to](std::string_view name, std::uint64_t count) {
    to.sample({}, text::format("outcome=\"{}\"", name), count);
  };
  to.head(
      "starts_total", "counter",
      "Starts by outcome; would_deny were let in by the observe mode, throttled were too many of "
      "one user in a minute, blocked are of users whom an operator keeps out, failed had no "
      "answer.");
  outcome("started", counts.starts.started);
  outcome("renewed", counts.starts.renewed);
  outcome("denied", counts.starts.denied);
  outcome("would_deny", counts.starts.would_deny);
  outcome("throttled", counts.starts.throttled);
  outcome("blocked", counts.starts.blocked);
  outcome("failed", counts.starts.failed);
  to.head("denials_total", "counter",
          "Denials, those that the observe mode let in too, by the first rule that had no room; "
          "limit is the plain limit.");
  std::uint64_t by_limit = counts.starts.denied + counts.starts.would_deny;
  for (const auto& [rule, denials] : counts.denials_by_rule) by_limit -= denials;
  to.sample({}, "rule=\"limit\"", by_limit);
  for (const auto& [rule, denials] : counts.denials_by_rule) {
    to.sample({}, text::format("rule=\"{}\"", rule), denials);
  }
  to.head("heartbeats_total", "counter", "Heartbeats by outcome.");
  outcome("renewed", counts.heartbeats.renewed);
  outcome("gone", counts.heartbeats.gone);
  outcome("unknown", counts.heartbeats.unknown);
  outcome("failed", counts.heartbeats.failed);
  to.head("ends_total", "counter", "Ends by outcome; not_active had ended before.");
  outcome("ended", counts.ends.ended);
  outcome("not_active", counts.ends.not_active);
  outcome("failed", counts.ends.failed);
  to.head("request_duration_seconds", "histogram",
          "From a command's arrival to its answer's leaving; each one of a batch counts.");
  constexpr std::string_view kKinds[] = {"start", "heartbeat", "end", "other"};
  static_assert(std::size(kKinds) == kCommandKinds);
  for (std::size_t i = 0; i < kCommandKinds; ++i) {
    to.histogram(text::format("command=\"{}\"", kKinds[i]), counts.durations[i], kNanosASecond);
  }
}

void write_waits(Exposition& to, const ServiceStatus& status) {
  const WaitCounts& counts = status.waits;
  const auto outcome = [&to](std::string_view name, std::uint64_t count) {
    to.sample({}, text::format("outcome=\"{}\"", name), count);
  };
  to.gauge("waiting_starts", "Starts that wait for room now.", status.waiting);
  to.head(
      "waits_total", "counter",
      "Starts that waited for room by outcome; left were given up by whoever waited, failed had "
      "another answer, or none.");
  outcome("started", counts.started);
  outcome("denied", counts.denied);
  outcome("left", counts.left);
  outcome("failed", counts.failed);
  to.head("wait_duration_seconds", "histogram", "How long they waited, whatever became of them.");
  to.histogram({}, counts.durations, kMillisASecond);
}

void write_events(Exposition& to, const EventFigures& events) {
  to.counter("sessions_evicted_total",
             "Sessions that made room for another, reconnects of the same device among them.",
             events.evictions.total);
  to.counter("sessions_expired_total", "Sessions whose lease ran out.", events.expiries.total);
  to.counter("sessions_purged_total", "Sessions that an operator purged.", events.purged);
  to.head("overlaps_total", "counter",
          "Sessions that were let in above the limit for a while: let_in, and what became of them, "
          "unless they ended before that.");
  to.sample({}, "outcome=\"let_in\"", events.overlaps.let_in);
  to.sample({}, "outcome=\"stayed\"", events.overlaps.stayed);
  to.sample({}, "outcome=\"denied\"", events.overlaps.denied);
  to.counter("events_total", "Events published.", events.published);
  to.gauge("watchers", "Readers of the stream of events.", events.readers);
}

void write_storage(Exposition& to, const DatabaseStatus& database) {
  to.head("commit_duration_seconds", "histogram",
          "How long a commit took, which is what the answers to starts and ends wait for.");
  to.histogram({}, database.commits.durations, kNanosASecond);
  to.head("commit_changes", "histogram", "Changes that went into one commit.");
  to.histogram({}, database.commits.changes, 1);
  to.counter("commits_failed_total", "Commits that failed, with all that waited for them.",
             database.commits.failed);
  to.gauge("journal_waiting_changes", "Changes that are decided and not stored yet.",
           database.waiting_changes);
  to.gauge("database_bytes", "Size of the database file.", database.bytes);
  to.gauge("wal_bytes", "Size of the database's write-ahead log.", database.wal_bytes);
}

// --- a fleet ---

void write_fleet_counts(Exposition& to, const FleetCounts& counts) {
  const auto labelled = [&to](std::string_view label, std::string_view value, std::uint64_t count) {
    to.sample({}, text::format("{}=\"{}\"", label, value), count);
  };
  to.head("fleet_requests_total", "counter",
          "Changes and reads of the engine by result; unavailable had no answer in time.");
  labelled("result", "answered", counts.requests.answered);
  labelled("result", "late", counts.requests.late);
  labelled("result", "full", counts.requests.full);
  labelled("result", "unavailable", counts.requests.unavailable);
  to.head("fleet_request_duration_seconds", "histogram",
          "How long the engine took to answer, retries included.");
  to.histogram({}, counts.request_durations, kNanosASecond);
  to.counter("fleet_conflicts_total", "Decisions that were made again, for another box was first.",
             counts.conflicts);
  to.head("fleet_redirects_total", "counter", "Requests that the engine sent elsewhere, by kind.");
  labelled("kind", "moved", counts.redirects.moved);
  labelled("kind", "ask", counts.redirects.ask);
  labelled("kind", "readonly", counts.redirects.read_only);
  labelled("kind", "retried", counts.redirects.retried);
  to.counter("fleet_reconnects_total", "Connections to the engine that were lost.",
             counts.reconnects);
  to.head("fleet_local_decisions_total", "counter",
          "Answers that this box gave by itself, for the engine was away; refused are 503.");
  labelled("result", "started", counts.local_decisions.started);
  labelled("result", "denied", counts.local_decisions.denied);
  labelled("result", "renewed", counts.local_decisions.renewed);
  labelled("result", "ended", counts.local_decisions.ended);
  labelled("result", "refused", counts.local_decisions.refused);
  to.counter("fleet_unacknowledged_total", "Changes that no replica is known to have.",
             counts.unacknowledged);
  to.counter("fleet_reclaimed_total", "Sessions that the engine had forgotten, and has again.",
             counts.reclaimed);
}

void write_fleet(Exposition& to, const FleetStatus& fleet) {
  const auto of_primary = [&to](const FleetStatus::Primary& primary, const auto& value) {
    to.sample({}, text::format("primary=\"{}\"", escaped(primary.address)), value);
  };
  to.head("fleet_up", "gauge", "1 while a primary of the engine answers.");
  for (const auto& primary : fleet.primaries) of_primary(primary, primary.up ? 1 : 0);
  to.gauge("fleet_degraded", "1 while some users, or all, are decided by this box alone.",
           fleet.state == FleetStatus::State::kOk ? 0 : 1);
  to.head("fleet_short_of_replicas", "gauge",
          "1 while no replica of a primary acknowledges changes.");
  for (const auto& primary : fleet.primaries) {
    of_primary(primary, primary.short_of_replicas ? 1 : 0);
  }
  to.head("fleet_clock_offset_seconds", "gauge",
          "A primary's clock minus this box's, as far as its answers tell.");
  for (const auto& primary : fleet.primaries) {
    if (const auto& clock = primary.clock_offset) {
      of_primary(primary, seconds(clock->least + (clock->most - clock->least) / 2));
    }
  }
  to.gauge("fleet_boxes", "Boxes of the fleet that are known, this one among them.",
           fleet.others.size() + 1);
  to.gauge("fleet_boxes_differing",
           "Other boxes whose policy differs from this one's, or whose label is taken.",
           std::ranges::count(fleet.others, true, &FleetStatus::Box::differs));
  write_fleet_counts(to, fleet.counts);
}

void write_process(Exposition& to, const DaemonInfo& info, const ProcessFigures& process) {
  to.gauge("connections", "Open connections of clients.",
           info.connections ? info.connections() : 0);
  to.gauge("connections_limit", "Connections that are served at once at most.",
           info.most_connections);
  to.gauge("open_files", "Open files of the process.", process.open_files);
  to.gauge("open_files_limit", "Open files that the system allows it.", process.open_files_limit);
  to.gauge("resident_memory_bytes", "Memory of the process that is in RAM.",
           process.resident_bytes);
}

}  // namespace

std::string metrics_text(const Figures& figures, const DaemonInfo& info, const Now& now,
                         const ProcessFigures& process) {
  Exposition to;
  write_daemon(to, info, now);
  write_state(to, figures.service);
  write_commands(to, figures.commands.counts);
  write_waits(to, figures.service);
  write_events(to, figures.events);
  std::visit([&to](const auto& storage) { write_storage(to, storage); }, figures.service.storage);
  if (figures.service.fleet) write_fleet(to, *figures.service.fleet);
  write_process(to, info, process);
  return to.take();
}

}  // namespace concur
