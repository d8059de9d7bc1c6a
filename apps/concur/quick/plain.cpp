#include "quick/plain.hpp"

#include "base/duration.hpp"
#include "base/socket_path.hpp"
#include "options.hpp"
#include "socket_paths.hpp"

#include <string_view>

namespace concur::cli {

namespace {

// Each is false where the value is not for here.

bool take(std::string& to, std::string_view value) {
  if (!to.empty()) return false;
  to = value;
  return true;
}

bool take(std::optional<std::string>& to, std::string_view value) {
  if (to) return false;
  to = value;
  return true;
}

bool take(std::optional<Millis>& to, std::string_view value) {
  const auto duration = parse_duration(value);
  if (to || !duration) return false;
  to = *duration;
  return true;
}

bool take(std::optional<OnLimit>& to, std::string_view value) {
  if (to) return false;
  to = on_limit_of(value);
  return to.has_value();
}

bool take(SessionName& name, std::string_view option, std::string_view value) {
  if (option == "--user") return take(name.user, value);
  return option == "--session" && take(name.session, value);
}

bool take(Start& start, std::string_view option, std::string_view value) {
  if (option == "--ttl") return take(start.ttl, value);
  if (option == "--device") return take(start.device, value);
  if (option == "--ip") return take(start.ip, value);
  if (option == "--content") return take(start.content, value);
  if (option == "--on-limit") return take(start.on_limit, value);
  if (option == "--replace") return take(start.replace, value);
  if (option == "--wait") return take(start.wait, value);
  return take(start.name, option, value);
}

bool take(Heartbeat& heartbeat, std::string_view option, std::string_view value) {
  if (option == "--ttl") return take(heartbeat.ttl, value);
  if (option == "--start") return take(heartbeat.start, value);
  return take(heartbeat.name, option, value);
}

bool take(End& end, std::string_view option, std::string_view value) {
  if (option == "--start") return take(end.start, value);
  return take(end.name, option, value);
}

// What every command takes, and before its name as well.
struct Global {
  std::string socket;
  std::optional<Millis> timeout;
};

bool take(Global& global, std::string_view option, std::string_view value) {
  if (option == "--socket") return take(global.socket, value) && !socket_path_of(value).empty();
  return option == "--timeout" && take(global.timeout, value) && global.timeout->count() > 0;
}

// The words that are left, an option and its value at a time.
class Words {
 public:
  explicit Words(std::span<char* const> args) : args_(args) {}

  bool empty() const { return args_.empty(); }
  std::string_view peek() const { return args_.front(); }

  std::string_view next() {
    const std::string_view word = args_.front();
    args_ = args_.subspan(1);
    return word;
  }

  // `--name value` or `--name=value`. An empty value, or one like an option, may be a mistake: the
  // answer to that is not for here.
  bool next_option(std::string_view& name, std::string_view& value) {
    name = next();
    if (const auto equals = name.find('='); equals != std::string_view::npos) {
      value = name.substr(equals + 1);
      name = name.substr(0, equals);
    } else {
      value = empty() ? std::string_view() : next();
    }
    return name.starts_with("--") && !value.empty() && value[0] != '-';
  }

 private:
  std::span<char* const> args_;
};

template <class T>
std::optional<Plain> read_command(Words words, Global global) {
  T command;
  while (!words.empty()) {
    std::string_view option;
    std::string_view value;
    if (!words.next_option(option, value)) return std::nullopt;
    if (!take(command, option, value) && !take(global, option, value)) return std::nullopt;
  }
  if (command.name.user.empty() || command.name.session.empty()) return std::nullopt;
  Plain plain{.sockets = {}, .timeout = global.timeout.value_or(Options().timeout), .command = {}};
  plain.sockets =
      global.socket.empty() ? default_socket_paths() : std::vector{socket_path_of(global.socket)};
  plain.command = std::move(command);
  return plain;
}

}  // namespace

std::optional<Plain> read_plain(std::span<char* const> args) {
  Words words(args);
  Global global;
  while (!words.empty() && words.peek().starts_with('-')) {
    std::string_view option;
    std::string_view value;
    if (!words.next_option(option, value) || !take(global, option, value)) return std::nullopt;
  }
  if (words.empty()) return std::nullopt;
  const std::string_view verb = words.next();
  if (verb == "start") return read_command<Start>(words, std::move(global));
  if (verb == "heartbeat") return read_command<Heartbeat>(words, std::move(global));
  if (verb == "end") return read_command<End>(words, std::move(global));
  return std::nullopt;
}

}  // namespace concur::cli
