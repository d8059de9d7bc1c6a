#pragma once

#include "api/authorize.hpp"
#include "api/daemon_info.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "fleet/fleet_config.hpp"
#include "service/service_config.hpp"
#include "store/durability.hpp"

#include <sys/types.h>

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace concur {

// All that can be set. One table (setting_table) names each once; flags, environment and config
// file follow from it.
struct Settings {
  std::string socket;
  std::string database;
  ServiceConfig service;
  Durability durability = Durability::kFull;
  mode_t socket_mode = 0600;
  std::string socket_group;  // empty: the daemon's own
  std::string admin_group;   // empty: none
  std::string listen;        // a TCP address and port; empty: none
  std::string api_key_file;  // empty: none
  FleetConfig fleet;         // without seeds: none
  AuthorizeConfig authorize;
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
};

struct Setting {
  std::string_view
      key;  // "socket-mode": the flag --socket-mode, the variable CONCURRENCYD_SOCKET_MODE
  std::string_view takes;  // "OCTAL"
  std::string_view help;
  bool reloads;                         // taken over on SIGHUP; others at the next start
  bool (*applies)(const Settings& to);  // to what else is set
  Result<void> (*set)(Settings& into, const std::string& value);
  std::string (*get)(const Settings& from);
};

std::span<const Setting> setting_table();

// The settings in force and where each came from: "default", "flag", "environment
// CONCURRENCYD_LIMIT", "FILE line N".
struct Effective {
  Settings settings;
  std::map<std::string_view, std::string> sources;  // by key
  std::vector<std::string> rule_sources{};          // of the policy's rules, in their order
  std::string config_file{};                        // empty: none was read
  std::optional<std::string> read_once{};           // its text, where it cannot be read again

  bool is_default(std::string_view key) const { return sources.at(key) == "default"; }
};

// Of this process. One that is set and empty is as one that is not set: unit files, compose files
// and scripts write NAME= for "nothing of mine".
std::optional<std::string> environment_variable(const std::string& name);

// Where values come from, besides the config file itself.
struct SettingInputs {
  std::map<std::string, std::string> flags;  // by key; the config file's under "config"
  std::function<std::optional<std::string>(const std::string& name)> environment;
  uid_t uid = 0;
};

// flag > environment > config file > default. kInvalid, with the source named, for a bad value, an
// unknown key, or a config file that was asked for and cannot be read; a default one may be absent.
// `running` is what is in force, where there is something: a config file that could be read once
// only is taken as it was then, and nothing is waited for.
Result<Effective> resolve_settings(const SettingInputs& inputs, const Effective* running = nullptr);

// Each that applies, in the table's order, and then the rules.
std::vector<SettingInForce> settings_in_force(const Effective& effective);

// What --check-config prints: a line `key = value  # source` for each that applies, in the table's
// order, and the rules.
std::string describe(const Effective& effective, std::span<const Setting> table = setting_table());

}  // namespace concur
