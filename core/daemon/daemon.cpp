#include "daemon/daemon.hpp"

#include "api/api.hpp"
#include "base/log_progress.hpp"
#include "base/text.hpp"
#include "base/text_file.hpp"
#include "daemon/exit_code.hpp"
#include "daemon/fleet_settings.hpp"
#include "daemon/groups.hpp"
#include "daemon/listening_sockets.hpp"
#include "daemon/notifier.hpp"
#include "daemon/rule_settings.hpp"
#include "fleet/open_fleet_service.hpp"
#include "net/api_keys.hpp"
#include "net/server.hpp"
#include "net/tcp_gate.hpp"
#include "net/unix_gate.hpp"
#include "service/event_log.hpp"
#include "service/open_service.hpp"
#include "service/waiting_service.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <csignal>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace concur {

namespace {

// How long a stop waits for clients that are in the middle of a request.
constexpr auto kStopTime = std::chrono::seconds(10);

// Room for each connection the servers allow, and the database's own files. With hardly any it
// would run and could take nobody in.
void raise_file_limit(std::size_t sockets, Logger& log) {
  constexpr rlim_t kOwn = 64;
  const rlim_t wanted = sockets * Server::kMaxConnections + kOwn;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < kOwn) {
    throw StartupError(ExitCode::kInternal,
                       text::format("cannot run with {} open files: it takes {} (getrlimit(2))",
                                    limit.rlim_cur, kOwn));
  }
  if (limit.rlim_cur < wanted) {
    log.warning("only {} open files are allowed: fewer than {} connections can be served",
                limit.rlim_cur, Server::kMaxConnections);
  }
}

// As a line of the log shows it.
std::string or_none(const std::string& value) { return value.empty() ? "none" : value; }

// All that is in force, for whoever reads the log later: database /var/lib/…, limit 3, lease 90s, …
std::string settings_line(const Settings& settings) {
  std::string line;
  for (const Setting& setting : setting_table()) {
    if (setting.key == "socket" || !setting.applies(settings)) continue;
    if (!line.empty()) line += ", ";
    line += text::format("{} {}", setting.key, or_none(setting.get(settings)));
  }
  return line;
}

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  return set;
}

// Signals wait while there is nobody to handle them yet; threads that are made in between never
// get any.
void hold_signals() {
  const sigset_t set = handled_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void let_signals_in() {
  const sigset_t set = handled_signals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

LocalServiceOptions service_options(const Settings& settings,
                                    std::shared_ptr<DatabaseFiles> files) {
  return {settings.database, std::move(files), settings.durability, settings.service};
}

class Daemon {
 public:
  // Loads the sessions, which may take long.
  Daemon(const SettingInputs& inputs, const Effective& effective, const std::string& version,
         std::shared_ptr<DatabaseFiles> files, Notifier& notifier, Logger& log)
      : inputs_(inputs),
        effective_(effective),
        notifier_(notifier),
        log_(log),
        memory_(clock_, log),
        signals_(loop_, SIGTERM, SIGINT, SIGHUP),
        stop_timer_(loop_),
        watchdog_timer_(loop_),
        history_timer_(loop_),
        service_(must(open_service(service_options(effective.settings, std::move(files)), version),
                      ExitCode::kDatabase)),
        waiting_(*service_, events_, runner_.turn(), clock_,
                 effective.settings.fleet.seeds.empty() ? WaitingService::Scope::kAlone
                                                        : WaitingService::Scope::kShared),
        api_(waiting_, events_, memory_, clock_, log) {
    api_.set_authorize(effective.settings.authorize);
  }

  void serve(ListeningSockets& sockets, std::optional<ApiKeyFile> keys, const Operators& operators,
             const std::string& version) {
    gate_.emplace(operators);
    for (UnixListener& socket : sockets.unix_sockets) {
      Server& server =
          add_server(std::move(socket.endpoint.listener), *gate_, backlog_of(socket.is_own()));
      watches_.push_back(std::make_unique<SocketWatch>(
          loop_, socket.endpoint, socket.bind,
          [&server](Fd listener) { server.move_to(std::move(listener)); }, log_));
    }
    if (!sockets.tcp_sockets.empty()) {
      keys_read_once_ = keys && !keys->is_regular;
      std::optional<KeyRing> ring;
      if (keys) ring.emplace(std::move(keys->keys));
      tcp_gate_.emplace(std::move(ring), clock_, log_);
    }
    for (TcpListener& socket : sockets.tcp_sockets) {
      add_server(std::move(socket.listener), *tcp_gate_, backlog_of(socket.is_own));
    }
    api_.set_info({version, getpid(), clock_.now().instant, [this] { return connections(); },
                   servers_.size() * Server::kMaxConnections,
                   [operators](std::int64_t uid) { return advice_for(uid, operators); },
                   [this] { return settings_in_force(effective_); }});
    await_signal();
    let_signals_in();
    boost::asio::post(loop_, [this] { waiting_.when_ready([this] { notifier_.ready(); }); });
    feed_watchdog();
    sample_history();
    runner_.run();
  }

 private:
  // Of one box alone, or of one of a fleet.
  Result<std::unique_ptr<Service>> open_service(LocalServiceOptions local,
                                                const std::string& version) {
    const FleetConfig& fleet = effective_.settings.fleet;
    Progress progress(daemon_progress(log_));
    const ReportWork report = [this, &progress](const WorkState& work) {
      notifier_.needs_time();
      progress.report(work);
    };
    if (fleet.seeds.empty()) {
      return open_local_service(local, runner_, events_, clock_, log_, report);
    }
    events_.set_box(fleet.box);
    return open_fleet_service({std::move(local), fleet, version}, runner_, events_, clock_, log_,
                              report);
  }

  // What becomes at the stop of those who wait to be accepted: the next daemon answers them where
  // the socket goes on without this one.
  static Server::Backlog backlog_of(bool is_own) {
    return is_own ? Server::Backlog::kAnswer : Server::Backlog::kLeave;
  }

  Server& add_server(Fd listener, Gate& gate, Server::Backlog backlog) {
    auto server =
        std::make_unique<Server>(runner_.turn(), std::move(listener), gate, api_, memory_, log_);
    return *servers_.emplace_back(std::move(server), backlog).first;
  }

  std::size_t connections() const {
    std::size_t count = 0;
    for (const auto& [server, backlog] : servers_) count += server->connections();
    return count;
  }

  // From the loop, so that a loop that hangs is seen.
  void feed_watchdog() {
    const auto patience = notifier_.watchdog();
    if (!patience) return;
    notifier_.alive();
    watchdog_timer_.expires_after(*patience / 3);
    watchdog_timer_.async_wait([this](const boost::system::error_code& cancelled) {
      if (!cancelled) feed_watchdog();
    });
  }

  void sample_history() {
    history_timer_.expires_after(api_.sample());
    history_timer_.async_wait([this](const boost::system::error_code& cancelled) {
      if (!cancelled) sample_history();
    });
  }

  void await_signal() {
    signals_.async_wait([this](const boost::system::error_code& cancelled, int signal) {
      if (cancelled) return;
      if (signal == SIGHUP) {
        reload();
      } else {
        stop(signal);
      }
      await_signal();
    });
  }

  void reload() {
    notifier_.reloading();
    take_over_settings();
    notifier_.ready();
  }

  void take_over_settings() {
    const auto next = resolve_settings(inputs_, &effective_);
    if (!next) {
      log_.error("cannot reload: {}; the old values stay", next.error().message);
      return;
    }
    if (next->read_once) {
      log_.warning("{} is no regular file and can be read only once: its values stay",
                   next->config_file);
    }
    for (const Setting& setting : setting_table()) {
      const std::string before = setting.get(effective_.settings);
      const std::string after = setting.get(next->settings);
      if (before == after) continue;
      if (setting.reloads) {
        log_.info("{} is {} now ({}), it was {}", setting.key, or_none(after),
                  next->sources.at(setting.key), or_none(before));
        static_cast<void>(setting.set(effective_.settings, after));
      } else {
        log_.warning("{} stays {} until the next start, which will set it to {}", setting.key,
                     or_none(before), or_none(after));
      }
    }
    for (const std::string& change : changes_of_rules(effective_, *next)) log_.info("{}", change);
    effective_.settings.service.policy.rules = next->settings.service.policy.rules;
    effective_.rule_sources = next->rule_sources;
    for (const std::string& doubt : doubts_about_rules(effective_)) log_.warning("{}", doubt);
    take_over_keys();
    api_.set_authorize(effective_.settings.authorize);
    waiting_.configure(effective_.settings.service);
    log_.set_level(effective_.settings.log_level);
    log_.info("reloaded");
  }

  // Whoever's key is gone is cut off, in the middle of a stream too.
  void take_over_keys() {
    const std::string& path = effective_.settings.api_key_file;
    if (!tcp_gate_ || path.empty()) return;
    if (keys_read_once_) {
      log_.warning("{} is no regular file and can be read only once: its keys stay", path);
      return;
    }
    auto file = read_api_keys(path, std::chrono::milliseconds(0));
    if (!file) return log_.error("{}; the old keys stay", file.error().message);
    log_.info("API keys in force from {}: {}", path, file->keys.size());
    keys_read_once_ = !file->is_regular;
    tcp_gate_->set_keys(KeyRing(std::move(file->keys)));
    for (const auto& [server, backlog] : servers_) server->close_revoked();
  }

  void stop(int signal) {
    if (stopping_) return;
    stopping_ = true;
    notifier_.stopping();
    for (const auto& watch : watches_) watch->stop();
    log_.info("stopping: {}", signal == SIGTERM ? "SIGTERM" : "SIGINT");
    stop_timer_.expires_after(kStopTime);
    stop_timer_.async_wait([this](const boost::system::error_code& cancelled) {
      if (cancelled) return;
      log_.warning("stopping with {} connections still busy", connections());
      finish();
    });
    // Who waits for room is answered now, for all that is owed goes out before the end.
    waiting_.drain();
    draining_ = servers_.size();
    const auto drained = [this] {
      if (--draining_ == 0) finish();
    };
    for (const auto& [server, backlog] : servers_) server->drain(backlog, drained);
  }

  void finish() {
    if (std::exchange(finishing_, true)) return;
    stop_timer_.cancel();
    for (const auto& [server, backlog] : servers_) server->close();
    waiting_.finish([this] { loop_.stop(); });
  }

  const SettingInputs& inputs_;
  Effective effective_;
  Notifier& notifier_;
  Logger& log_;
  SystemClock clock_;
  ClientMemory memory_;  // what the loop has still to do may refer to it
  boost::asio::io_context loop_;
  LoopRunner runner_{loop_};
  boost::asio::signal_set signals_;
  boost::asio::steady_timer stop_timer_;
  boost::asio::steady_timer watchdog_timer_;
  boost::asio::steady_timer history_timer_;
  EventLog events_{[this] { runner_.turn().at(Turn::Stage::kPublish, wake_step_); }};
  OwnStep<&EventLog::wake_readers, EventLog> wake_step_{events_};
  std::unique_ptr<Service> service_;
  WaitingService waiting_;  // above it
  Api api_;
  std::optional<UnixGate> gate_;
  std::optional<TcpGate> tcp_gate_;
  std::vector<std::pair<std::unique_ptr<Server>, Server::Backlog>> servers_;
  std::vector<std::unique_ptr<SocketWatch>> watches_;
  bool keys_read_once_ = false;  // the file cannot be read again
  std::size_t draining_ = 0;     // servers
  bool stopping_ = false;
  bool finishing_ = false;
};

}  // namespace

void run_daemon(const SettingInputs& inputs, const Effective& effective, const std::string& version,
                Logger& log) {
  const Settings& settings = effective.settings;
  hold_signals();
  umask(0077);
  // Both come back as errors where they happen: a client that went away, a file-size limit.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  Notifier notifier(inputs.environment, getpid());
  auto inherited = must(inherited_sockets(inputs.environment, getpid()), ExitCode::kSocket);
  const Operators operators = operators_of(effective, log);
  const auto socket_group = group_of(effective, "socket-group", settings.socket_group);
  std::optional<ApiKeyFile> keys;
  if (!settings.api_key_file.empty()) {
    keys = must(read_api_keys(settings.api_key_file, kPipePatience), ExitCode::kUsage);
  }
  if (const auto usable = check_fleet_files(settings.fleet); !usable) {
    throw StartupError(ExitCode::kUsage, usable.error().message);
  }

  const DatabaseLock database_lock = lock_database(effective);
  auto sockets = ListeningSockets::claim(effective, socket_group, std::move(inherited), log);
  raise_file_limit(sockets.count(settings), log);

  Daemon daemon(inputs, effective, version, database_lock.files, notifier, log);
  sockets.open(settings);
  log.info("concurrencyd {} listens on {}: {}", version, sockets.unix_sockets.front().endpoint.path,
           settings_line(settings));
  sockets.log_others(keys ? &*keys : nullptr, log);
  daemon.serve(sockets, std::move(keys), operators, version);
  sockets.remove();
  log.info("stopped");
}

}  // namespace concur
