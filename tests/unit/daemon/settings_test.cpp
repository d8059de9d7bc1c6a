#include "daemon/settings.hpp"

#include "support/temp_folder.hpp"

#include <doctest/doctest.h>

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
  CHECK(lines() == table.size());
  table.front().applies = [](const Settings&) { return false; };
  CHECK(lines() == table.size() - 1);
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
          "1000000000");
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
