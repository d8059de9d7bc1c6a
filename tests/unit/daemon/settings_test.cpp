#include "daemon/settings.hpp"

#include "daemon/fleet_settings.hpp"

#include "support/temp_folder.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::TempFolder;

namespace {

struct Case {
  std::map<std::string, std::string> variables{{"XDG_RUNTIME_DIR", "/run/user/7"},
                                               {"HOME", "/home/u"}};
  SettingInputs inputs;

  explicit Case(uid_t uid = 1000) {
    inputs.uid = uid;
    inputs.environment = [this](const std::string& name) -> std::optional<std::string> {
      const auto found = variables.find(name);
      if (found == variables.end()) return std::nullopt;
      return found->second;
    };
  }
  Effective good() const {
    const auto effective = resolve_settings(inputs);
    if (!effective) FAIL(effective.error().message);
    return *effective;
  }
  std::string bad() const {
    const auto effective = resolve_settings(inputs);
    REQUIRE(effective.has_error());
    CHECK(effective.error().kind == ErrorKind::kInvalid);
    return effective.error().message;
  }
};

}  // namespace

TEST_CASE("resolve_settings: defaults") {
  SUBCASE("of an ordinary user") {
    const Settings settings = Case().good().settings;
    CHECK(settings.socket == "/run/user/7/concurrencyd.sock");
    CHECK(settings.database == "/home/u/.local/state/concurrencyd/sessions.db");
    CHECK(settings.socket_mode == 0600);
    CHECK(settings.admin_group.empty());
    CHECK(settings.service.policy.limit == 3);
    CHECK(settings.service.policy.lease == 90s);
    CHECK(settings.durability == Durability::kFull);
  }
  SUBCASE("of an ordinary user with a state folder") {
    Case c;
    c.variables["XDG_STATE_HOME"] = "/state";
    CHECK(c.good().settings.database == "/state/concurrencyd/sessions.db");
  }
  SUBCASE("of a service") {
    Case c(0);
    c.inputs.flags["config"] = "/dev/null";
    const Settings settings = c.good().settings;
    CHECK(settings.socket == "/run/concurrencyd/concurrencyd.sock");
    CHECK(settings.database == "/var/lib/concurrencyd/sessions.db");
    CHECK(settings.socket_mode == 0660);
    CHECK(settings.admin_group == "concur-admin");
  }
  SUBCASE("where there is no place for a socket") {
    Case c;
    c.variables.clear();
    CHECK(c.bad() == "cannot choose a socket: XDG_RUNTIME_DIR is not set; give --socket PATH");
    c.inputs.flags["socket"] = "/x";
    CHECK(c.bad().starts_with("cannot choose a database"));
  }
}

TEST_CASE("resolve_settings: flag before environment before file before default") {
  const TempFolder folder;
  const std::string file = folder.file("conf");
  std::ofstream(file) << "limit = 5\nlease = 1m\nlog-level = debug\n";
  Case c;
  c.inputs.flags["config"] = file;
  c.variables["CONCURRENCYD_LEASE"] = "2m";
  c.variables["CONCURRENCYD_LOG_LEVEL"] = "warning";
  c.inputs.flags["log-level"] = "error";
  const Effective effective = c.good();
  CHECK(effective.settings.service.policy.limit == 5);
  CHECK(effective.settings.service.policy.lease == 2min);
  CHECK(effective.settings.log_level == LogLevel::kError);
  CHECK(effective.sources.at("limit") == file + " line 1");
  CHECK(effective.sources.at("lease") == "environment CONCURRENCYD_LEASE");
  CHECK(effective.sources.at("log-level") == "flag");
  CHECK(effective.sources.at("durability") == "default");
  CHECK(describe(effective).find("lease = 2m  # environment CONCURRENCYD_LEASE\n") !=
        std::string::npos);
}

TEST_CASE("describe leaves out what does not apply") {
  Case c;
  const Effective effective = c.good();
  std::vector<Setting> table(setting_table().begin(), setting_table().end());
  const auto lines = [&] {
    const std::string text = describe(effective, table);
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  };
  constexpr std::size_t kOfFleet = 11;
  CHECK(lines() == table.size() - kOfFleet);
  table.front().applies = [](const Settings&) { return false; };
  CHECK(lines() == table.size() - kOfFleet - 1);
}

TEST_CASE("resolve_settings: of a fleet") {
  Case c;
  SUBCASE("without one nothing is shown of it but that there is none") {
    CHECK(c.good().settings.fleet.seeds.empty());
    CHECK(describe(c.good()).find("fleet = ") != std::string::npos);
    CHECK(describe(c.good()).find("fleet-") == std::string::npos);
  }
  SUBCASE("its defaults") {
    c.inputs.flags["fleet"] = "valkey://10.0.0.1,10.0.0.2:7000";
    const std::string text = describe(c.good());
    for (const char* line :
         {"fleet = valkey://10.0.0.1:6379,10.0.0.2:7000  # flag\n",
          "fleet-name = concur  # default\n", "fleet-ack = replica  # default\n",
          "fleet-unavailable = local  # default\n", "fleet-timeout = 1s  # default\n",
          "fleet-cache = 64MiB  # default\n"}) {
      CAPTURE(line);
      CHECK(text.find(line) != std::string::npos);
    }
    char host[256] = {};
    REQUIRE(::gethostname(host, sizeof host - 1) == 0);
    CHECK(c.good().settings.fleet.box == host);
  }
  SUBCASE("each in other units and words") {
    c.inputs.flags = {{"fleet", "rediss://[::1]"},   {"fleet-timeout", "100ms"},
                      {"fleet-cache", "1048576"},    {"fleet-ack", "primary"},
                      {"fleet-unavailable", "deny"}, {"box", "edge 7"},
                      {"fleet-ca-file", "/ca"}};
    const Settings settings = c.good().settings;
    CHECK(settings.fleet.tls);
    CHECK(settings.fleet.timeout == 100ms);
    CHECK(settings.fleet.ack == engine::Ack::kPrimary);
    CHECK(settings.fleet.unavailable == Unavailable::kDeny);
    CHECK(settings.fleet.box == "edge 7");
    CHECK(describe(c.good()).find("fleet-cache = 1MiB  # flag\n") != std::string::npos);
  }
  SUBCASE("what is empty is none, and the box has its default") {
    const TempFolder folder;
    const std::string file = folder.file("conf");
    std::ofstream(file) << "fleet =\nfleet-user =\nfleet-ca-file =\nbox =\n";
    c.inputs.flags["config"] = file;
    CHECK(c.good().settings.fleet.seeds.empty());
    CHECK_FALSE(c.good().settings.fleet.box.empty());
  }
  SUBCASE("a password is not repeated") {
    c.inputs.flags["fleet"] = "valkey://user:hunter2@10.0.0.1";
    CHECK(c.bad() ==
          "cannot set fleet to 'valkey://…@10.0.0.1' (flag): a user and a password do not belong "
          "here: --fleet-user and --fleet-password-file take them");
  }
  SUBCASE("what needs another one says so") {
    using Flags = std::map<std::string, std::string>;
    const std::string plain = "valkey://a";
    const std::string tls = "valkeys://a";
    for (const auto& [flags, expected] : std::vector<std::pair<Flags, std::string>>{
             {{{"fleet-user", "x"}}, "cannot use fleet-user (flag): fleet is not set"},
             {{{"fleet-password-file", "/x"}},
              "cannot use fleet-password-file (flag): fleet is not set"},
             {{{"fleet-key-file", "/x"}}, "cannot use fleet-key-file (flag): fleet is not set"},
             {{{"fleet", plain}, {"fleet-ca-file", "/x"}},
              "cannot use fleet-ca-file (flag): fleet is without TLS; with it it begins with "
              "valkeys://"},
             {{{"fleet", plain}, {"fleet-user", "x"}},
              "cannot use fleet-user (flag): it needs fleet-password-file"},
             {{{"fleet", tls}, {"fleet-cert-file", "/x"}},
              "cannot use fleet-cert-file (flag): it needs fleet-key-file"},
             {{{"fleet", tls}, {"fleet-key-file", "/x"}},
              "cannot use fleet-key-file (flag): it needs fleet-cert-file"}}) {
      c.inputs.flags = flags;
      CHECK(c.bad() == expected);
    }
  }
}

TEST_CASE("check_fleet_files") {
  const TempFolder folder;
  FleetConfig fleet;
  fleet.password_file = folder.file("none");
  CHECK(check_fleet_files(fleet).has_value());  // no fleet
  fleet.seeds = {{"a", 6379}};
  REQUIRE(check_fleet_files(fleet).has_error());
  CHECK(check_fleet_files(fleet).error().message.find(fleet.password_file) != std::string::npos);
  std::ofstream(folder.file("password")) << "secret\n";
  ::chmod(folder.file("password").c_str(), 0600);
  fleet.password_file = folder.file("password");
  CHECK(check_fleet_files(fleet).has_value());
  fleet.tls = true;
  fleet.ca_file = folder.file("none");
  CHECK(check_fleet_files(fleet).has_error());
}

TEST_CASE("environment_variable") {
  constexpr const char* kName = "CONCURRENCYD_TEST_VARIABLE";
  ::unsetenv(kName);
  CHECK_FALSE(environment_variable(kName).has_value());
  ::setenv(kName, "", 1);
  CHECK_FALSE(environment_variable(kName).has_value());
  ::setenv(kName, " ", 1);
  CHECK(environment_variable(kName) == " ");
  ::unsetenv(kName);
}

TEST_CASE("resolve_settings: a socket as other programs write it") {
  for (const std::string written : {"/run/a.sock", "unix:///run/a.sock", "unix:/run/a.sock"}) {
    Case c;
    c.variables["CONCURRENCYD_SOCKET"] = written;
    CHECK(c.good().settings.socket == "/run/a.sock");
  }
  Case c;
  c.inputs.flags["socket"] = "unix://";
  CHECK(c.bad() == "cannot set socket to 'unix://' (flag): it takes a path");
}

TEST_CASE("resolve_settings: bad values name their source") {
  const TempFolder folder;
  Case c;
  SUBCASE("a flag") {
    c.inputs.flags["limit"] = "three";
    CHECK(c.bad() ==
          "cannot set limit to 'three' (flag): it takes a whole number from 0 (no limit) to "
          "1000000000, alone or with 'distinct device', 'distinct network' or 'distinct content'");
  }
  SUBCASE("a variable") {
    c.variables["CONCURRENCYD_DURABILITY"] = "most";
    CHECK(c.bad() ==
          "cannot set durability to 'most' (environment CONCURRENCYD_DURABILITY): it takes full or "
          "normal");
  }
  SUBCASE("a line of the file") {
    const std::string file = folder.file("conf");
    std::ofstream(file) << "\nlimits = 5\n";
    c.variables["CONCURRENCYD_CONFIG"] = file;
    CHECK(c.bad() == "cannot set 'limits' (" + file + " line 2): there is no such setting");
  }
  SUBCASE("a file that was asked for and is not there") {
    c.inputs.flags["config"] = folder.file("none");
    CHECK(c.bad() ==
          "cannot read config file " + folder.file("none") + ": No such file or directory");
  }
  SUBCASE("a file without an end") {
    const std::string file = folder.file("conf");
    std::ofstream(file) << std::string((std::size_t{64} << 10) + 1, '#');
    c.inputs.flags["config"] = file;
    CHECK(c.bad() == "cannot read config file " + file + ": it has more than 64 KiB");
  }
  SUBCASE("each kind of value") {
    for (const auto& setting :
         std::vector<std::pair<std::string, std::string>>{{"limit", "-1"},
                                                          {"limit", "3 "},
                                                          {"start-rate", "many"},
                                                          {"max-sessions", "4294967296"},
                                                          {"history", "59m"},
                                                          {"hold-off", "25h"},
                                                          {"hold-off", "-1s"},
                                                          {"on-limit", "evict"},
                                                          {"history", "4000d"},
                                                          {"lease", "0"},
                                                          {"lease", "31d"},
                                                          {"lease", "soon"},
                                                          {"socket-mode", "888"},
                                                          {"socket-mode", "1777"},
                                                          {"socket", ""},
                                                          {"fleet", "10.0.0.1"},
                                                          {"fleet", "valkey://a/0"},
                                                          {"fleet-name", "a b"},
                                                          {"fleet-ack", "both"},
                                                          {"fleet-unavailable", "open"},
                                                          {"fleet-timeout", "99ms"},
                                                          {"fleet-timeout", "31s"},
                                                          {"fleet-cache", "1023KiB"},
                                                          {"fleet-cache", "65GiB"},
                                                          {"fleet-cache", "64MB"},
                                                          {"fleet-cache", "18446744073709551616"},
                                                          {"fleet-cache", "18014398509481985KiB"},
                                                          {"box", "a\nb"},
                                                          {"log-level", "loud"},
                                                          {"log-format", "xml"},
                                                          {"database", ""}}) {
      const std::string& key = setting.first;
      CAPTURE(key);
      Case other;
      other.inputs.flags[key] = setting.second;
      CHECK(other.bad().starts_with("cannot set " + key));
    }
  }
}

TEST_CASE("resolve_settings: overlap and required attributes") {
  Case c;
  CHECK(c.good().settings.service.policy.overlap == 0ms);
  CHECK(c.good().settings.service.policy.required.empty());
  const auto policy_with = [&c](const std::string& key, const std::string& value) {
    c.inputs.flags[key] = value;
    return c.good().settings.service.policy;
  };
  CHECK(policy_with("overlap", "2500ms").overlap == 2500ms);
  CHECK(policy_with("overlap", "off").overlap == 0ms);
  c.inputs.flags["overlap"] = "301s";
  CHECK(c.bad().find("off, or up to 5m") != std::string::npos);
  c.inputs.flags.erase("overlap");
  const std::vector<Attribute> wanted = {attribute_of("type"), attribute_of("network")};
  CHECK(policy_with("required-attributes", " type , network").required == wanted);
  CHECK(describe(c.good()).find("required-attributes = type,network") != std::string::npos);
  for (const char* const bad : {",", "type,", "type,,kind", "type,type", "ty\ape"}) {
    CAPTURE(bad);
    c.inputs.flags["required-attributes"] = bad;
    c.bad();
  }
}
