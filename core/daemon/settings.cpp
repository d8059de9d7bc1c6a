#include "daemon/settings.hpp"

#include "base/text.hpp"
#include "daemon/config_file.hpp"
#include "daemon/fleet_settings.hpp"
#include "daemon/rule_settings.hpp"
#include "net/tcp_address.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

namespace concur {

namespace {

constexpr std::string_view kServiceConfig = "/etc/concurrencyd/concurrencyd.conf";

std::string variable_of(std::string_view key) {
  std::string name = "CONCURRENCYD_";
  for (const char c : key) name += c == '-' ? '_' : static_cast<char>(c - 'a' + 'A');
  return name;
}

// A value as it may be shown: who writes a password where none belongs need not read it in a log.
std::string shown(const std::string& value) {
  const std::size_t scheme = value.find("://");
  const std::size_t at = value.rfind('@');
  if (scheme == std::string::npos || at == std::string::npos || at < scheme) return value;
  return text::format("{}://…{}", value.substr(0, scheme), value.substr(at));
}

Result<void> apply(Effective& to, const Setting& setting, const std::string& value,
                   std::string source) {
  const auto set = setting.set(to.settings, value);
  if (!set) {
    return Error{ErrorKind::kInvalid, text::format("cannot set {} to '{}' ({}): {}", setting.key,
                                                   shown(value), source, set.error().message)};
  }
  to.sources[setting.key] = std::move(source);
  return {};
}

// Root and what systemd gave folders of its own run as a service; anyone else as an ordinary user.
bool is_service(const SettingInputs& inputs) {
  return inputs.uid == 0 || inputs.environment("STATE_DIRECTORY").has_value();
}

std::string under(const std::optional<std::string>& folder, std::string_view name) {
  return folder && !folder->empty() ? text::format("{}/{}", *folder, name) : std::string();
}

void set_defaults(Effective& to, const SettingInputs& inputs) {
  Settings& settings = to.settings;
  if (is_service(inputs)) {
    settings.socket = "/run/concurrencyd/concurrencyd.sock";
    settings.database = "/var/lib/concurrencyd/sessions.db";
    settings.socket_mode = 0660;
    settings.socket_group = "concur";
    settings.admin_group = "concur-admin";
  } else {
    settings.socket = under(inputs.environment("XDG_RUNTIME_DIR"), "concurrencyd.sock");
    settings.database = under(inputs.environment("XDG_STATE_HOME"), "concurrencyd/sessions.db");
    if (settings.database.empty()) {
      settings.database =
          under(inputs.environment("HOME"), ".local/state/concurrencyd/sessions.db");
    }
  }
  settings.fleet.box = default_box_label();
  for (const Setting& setting : setting_table()) to.sources[setting.key] = "default";
}

Result<std::string> read_config(Effective& to, const std::string& path, const Effective* running) {
  if (running != nullptr && running->read_once && running->config_file == path) {
    to.config_file = path;
    to.read_once = running->read_once;
    return *to.read_once;
  }
  using std::chrono::milliseconds;
  auto file = read_config_file(path, running == nullptr ? kPipePatience : milliseconds(0));
  if (!file) return file.error();
  to.config_file = path;
  if (!file->is_regular) to.read_once = file->text;
  return std::move(file->text);
}

Result<void> apply_file(Effective& to, const SettingInputs& inputs, const Effective* running) {
  const auto flag = inputs.flags.find("config");
  std::optional<std::string> path = flag != inputs.flags.end()
                                        ? std::optional(flag->second)
                                        : inputs.environment("CONCURRENCYD_CONFIG");
  const bool asked_for = path.has_value();
  if (!path && is_service(inputs)) path = kServiceConfig;
  if (!path) return {};
  const auto text = read_config(to, *path, running);
  if (!text && !asked_for && text.error().kind == ErrorKind::kAbsent) return {};
  if (!text) return Error{ErrorKind::kInvalid, text.error().message};
  const auto lines = parse_config(*path, *text);
  if (!lines) return lines.error();
  const auto table = setting_table();
  for (const ConfigLine& line : *lines) {
    const std::string source = text::format("{} line {}", *path, line.number);
    if (is_rule_key(line.key)) {
      if (const auto done = add_rule(to, line.key, line.value, source); !done) return done.error();
      continue;
    }
    const auto setting = std::ranges::find(table, line.key, &Setting::key);
    if (setting == table.end()) {
      return Error{
          ErrorKind::kInvalid,
          text::format("cannot set '{}' ({}): there is no such setting", line.key, source)};
    }
    if (const auto done = apply(to, *setting, line.value, source); !done) return done.error();
  }
  return {};
}

Result<void> apply_environment_and_flags(Effective& to, const SettingInputs& inputs) {
  for (const Setting& setting : setting_table()) {
    const std::string name = variable_of(setting.key);
    if (const auto value = inputs.environment(name)) {
      const auto done = apply(to, setting, *value, "environment " + name);
      if (!done) return done.error();
    }
    const auto flag = inputs.flags.find(std::string(setting.key));
    if (flag == inputs.flags.end()) continue;
    if (const auto done = apply(to, setting, flag->second, "flag"); !done) return done.error();
  }
  return {};
}

}  // namespace

std::optional<std::string> environment_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

Result<Effective> resolve_settings(const SettingInputs& inputs, const Effective* running) {
  Effective effective;
  set_defaults(effective, inputs);
  if (const auto done = apply_file(effective, inputs, running); !done) return done.error();
  if (const auto done = apply_environment_and_flags(effective, inputs); !done) return done.error();
  if (effective.settings.socket.empty()) {
    return Error{ErrorKind::kInvalid,
                 "cannot choose a socket: XDG_RUNTIME_DIR is not set; give --socket PATH"};
  }
  if (effective.settings.database.empty()) {
    return Error{
        ErrorKind::kInvalid,
        "cannot choose a database: neither XDG_STATE_HOME nor HOME is set; give --database PATH"};
  }
  const Settings& settings = effective.settings;
  if (!settings.listen.empty() && settings.api_key_file.empty() &&
      !parse_tcp_address(settings.listen)->is_loopback()) {
    return Error{
        ErrorKind::kInvalid,
        text::format("cannot listen on {} ({}): without --api-key-file it takes a loopback "
                     "address, such as 127.0.0.1",
                     settings.listen, effective.sources.at("listen"))};
  }
  if (const auto done = check_fleet_settings(effective); !done) return done.error();
  return effective;
}

std::vector<SettingInForce> settings_in_force(const Effective& effective) {
  std::vector<SettingInForce> all;
  for (const Setting& setting : setting_table()) {
    if (!setting.applies(effective.settings)) continue;
    all.push_back({std::string(setting.key), setting.get(effective.settings),
                   effective.sources.at(setting.key)});
  }
  append_rules(effective, all);
  return all;
}

std::string describe(const Effective& effective, std::span<const Setting> table) {
  std::string text;
  for (const Setting& setting : table) {
    if (!setting.applies(effective.settings)) continue;
    text += text::format("{} = {}  # {}\n", setting.key, setting.get(effective.settings),
                         effective.sources.at(setting.key));
  }
  text += describe_rules(effective);
  for (const std::string& doubt : doubts_about_rules(effective)) text += "# " + doubt + "\n";
  return text;
}

}  // namespace concur
