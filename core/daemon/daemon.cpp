#include "daemon/daemon.hpp"

#include "api/api.hpp"
#include "base/text.hpp"
#include "base/text_file.hpp"
#include "daemon/endpoint.hpp"
#include "daemon/exit_code.hpp"
#include "daemon/inherited_socket.hpp"
#include "daemon/notifier.hpp"
#include "daemon/socket_watch.hpp"
#include "net/listener.hpp"
#include "net/server.hpp"
#include "net/tcp_address.hpp"
#include "net/tcp_gate.hpp"
#include "net/unix_gate.hpp"
#include "service/event_log.hpp"
#include "service/open_service.hpp"

#include <grp.h>
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

template <class T>
T must(Result<T> result, ExitCode code) {
  if (!result) throw StartupError(code, result.error().message);
  return std::move(*result);
}

std::optional<gid_t> group_id(const std::string& name) {
  group entry{};
  group* found = nullptr;
  std::vector<char> buffer(std::size_t{64} * 1024);
  getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) return std::nullopt;
  return entry.gr_gid;
}

Operators operators_of(const Effective& effective, Logger& log) {
  Operators operators{geteuid(), std::nullopt};
  const std::string& name = effective.settings.admin_group;
  if (name.empty()) return operators;
  operators.group = group_id(name);
  if (operators.group) return operators;
  if (!effective.is_default("admin-group")) {
    throw StartupError(
        ExitCode::kUsage,
        text::format("cannot set admin-group to '{}': there is no such group", name));
  }
  log.debug("there is no group {}: root and the daemon's own user are the operators", name);
  return operators;
}

// What a daemon listens on beside the Unix socket, and for whom.
struct TcpDoor {
  Fd listener;
  std::optional<ApiKeyFile> keys;
};

std::optional<ApiKeyFile> load_keys(const Settings& settings) {
  if (settings.api_key_file.empty()) return std::nullopt;
  return must(read_api_keys(settings.api_key_file, kPipePatience), ExitCode::kUsage);
}

// Room for each connection the servers allow, and the database's own files. With hardly any it
// would run and could take nobody in.
void raise_file_limit(bool tcp, Logger& log) {
  constexpr rlim_t kOwn = 64;
  const rlim_t wanted = (tcp ? 2 : 1) * Server::kMaxConnections + kOwn;
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

// All that is in force, for whoever reads the log later: database /var/lib/…, limit 3, lease 90s, …
std::string settings_line(const Settings& settings) {
  std::string line;
  for (const Setting& setting : setting_table()) {
    if (setting.key == "socket" || !setting.applies(settings)) continue;
    const std::string value = setting.get(settings);
    if (!line.empty()) line += ", ";
    line += text::format("{} {}", setting.key, value.empty() ? "none" : value);
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
  Daemon(const SettingInputs& inputs, const Effective& effective,
         std::shared_ptr<DatabaseFiles> files, Notifier& notifier, Logger& log)
      : inputs_(inputs),
        effective_(effective),
        notifier_(notifier),
        log_(log),
        memory_(clock_, log),
        signals_(loop_, SIGTERM, SIGINT, SIGHUP),
        stop_timer_(loop_),
        watchdog_timer_(loop_),
        service_(
            must(open_local_service(service_options(effective.settings, std::move(files)), runner_,
                                    events_, clock_, log, [&notifier] { notifier.needs_time(); }),
                 ExitCode::kDatabase)),
        api_(*service_, events_, memory_, clock_, log) {}

  // `backlog`: what becomes at the stop of those who wait to be accepted.
  void serve(Endpoint& endpoint, SocketWatch::Bind bind, Server::Backlog backlog,
             const Operators& operators, std::optional<TcpDoor> tcp, const std::string& version) {
    backlog_ = backlog;
    gate_.emplace(operators);
    server_.emplace(runner_.turn(), std::move(endpoint.listener), *gate_, api_, memory_, log_);
    watch_.emplace(
        loop_, endpoint, std::move(bind),
        [this](Fd listener) { server_->move_to(std::move(listener)); }, log_);
    if (tcp) {
      std::optional<KeyRing> keys;
      if (tcp->keys) keys.emplace(std::move(tcp->keys->keys));
      keys_read_once_ = tcp->keys && !tcp->keys->is_regular;
      tcp_gate_.emplace(std::move(keys), clock_, log_);
      tcp_server_.emplace(runner_.turn(), std::move(tcp->listener), *tcp_gate_, api_, memory_,
                          log_);
    }
    api_.set_info({version, getpid(), clock_.now().instant, [this] { return connections(); },
                   (tcp_server_ ? 2 : 1) * Server::kMaxConnections});
    await_signal();
    let_signals_in();
    boost::asio::post(loop_, [this] { service_->when_ready([this] { notifier_.ready(); }); });
    feed_watchdog();
    runner_.run();
  }

 private:
  std::size_t connections() const {
    return server_->connections() + (tcp_server_ ? tcp_server_->connections() : 0);
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
        log_.info("{} is {} now ({}), it was {}", setting.key, after, next->sources.at(setting.key),
                  before);
        static_cast<void>(setting.set(effective_.settings, after));
      } else {
        log_.warning("{} stays {} until the next start, which will set it to {}", setting.key,
                     before, after);
      }
    }
    take_over_keys();
    service_->configure(effective_.settings.service);
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
    tcp_server_->close_revoked();
  }

  void stop(int signal) {
    if (stopping_) return;
    stopping_ = true;
    notifier_.stopping();
    watch_->stop();
    log_.info("stopping: {}", signal == SIGTERM ? "SIGTERM" : "SIGINT");
    stop_timer_.expires_after(kStopTime);
    stop_timer_.async_wait([this](const boost::system::error_code& cancelled) {
      if (cancelled) return;
      log_.warning("stopping with {} connections still busy", connections());
      finish();
    });
    draining_ = tcp_server_ ? 2 : 1;
    const auto drained = [this] {
      if (--draining_ == 0) finish();
    };
    if (tcp_server_) tcp_server_->drain(Server::Backlog::kAnswer, drained);
    server_->drain(backlog_, drained);
  }

  void finish() {
    if (std::exchange(finishing_, true)) return;
    stop_timer_.cancel();
    if (tcp_server_) tcp_server_->close();
    server_->close();
    service_->finish([this] { loop_.stop(); });
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
  EventLog events_{[this] { runner_.turn().at(Turn::Stage::kPublish, wake_step_); }};
  OwnStep<&EventLog::wake_readers, EventLog> wake_step_{events_};
  std::unique_ptr<Service> service_;
  Api api_;
  std::optional<UnixGate> gate_;
  std::optional<Server> server_;
  std::optional<SocketWatch> watch_;
  std::optional<TcpGate> tcp_gate_;
  std::optional<Server> tcp_server_;
  Server::Backlog backlog_ = Server::Backlog::kAnswer;
  bool keys_read_once_ = false;  // the file cannot be read again
  int draining_ = 0;             // servers
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
  raise_file_limit(!settings.listen.empty(), log);
  Notifier notifier(inputs.environment, getpid());
  auto inherited = must(inherited_socket(inputs.environment, getpid()), ExitCode::kSocket);
  const auto backlog = inherited ? Server::Backlog::kLeave : Server::Backlog::kAnswer;
  const Operators operators = operators_of(effective, log);
  auto keys = load_keys(settings);

  const DatabaseLock database_lock = lock_database(effective);
  Endpoint endpoint = inherited ? inherited_endpoint(effective, std::move(*inherited), log)
                                : own_endpoint(effective);

  Daemon daemon(inputs, effective, database_lock.files, notifier, log);
  std::optional<TcpDoor> tcp;
  if (!settings.listen.empty()) {
    tcp = {must(listen_tcp(*parse_tcp_address(settings.listen)), ExitCode::kSocket),
           std::move(keys)};
  }
  SocketWatch::Bind bind;
  if (!endpoint.listener) {
    bind = [path = endpoint.path, mode = settings.socket_mode] { return listen_unix(path, mode); };
    endpoint.listener = must(bind(), ExitCode::kSocket);
  }
  endpoint.file.emplace(endpoint.path);
  log.info("concurrencyd {} listens on {}: {}", version, endpoint.path, settings_line(settings));
  if (tcp) {
    log.info("listening on {} too, {}", to_text(local_address_of(tcp->listener.get())),
             tcp->keys ? text::format("for API keys: {}", tcp->keys->keys.size())
                       : "without keys: all on this machine may connect, as clients");
  }
  daemon.serve(endpoint, std::move(bind), backlog, operators, std::move(tcp), version);
  if (backlog == Server::Backlog::kAnswer) endpoint.file->remove();
  log.info("stopped");
}

}  // namespace concur
