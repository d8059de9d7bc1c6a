#include "base/command_line.hpp"
#include "base/log.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "daemon/daemon.hpp"
#include "daemon/exit_code.hpp"
#include "daemon/migration.hpp"
#include "daemon/recovery.hpp"
#include "daemon/settings.hpp"

#include <unistd.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <map>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using concur::ExitCode;

int fail(ExitCode code, std::string_view message) {
  concur::text::print(stderr, "concurrencyd: {}\n", message);
  return static_cast<int>(code);
}

void add_settings(CLI::App& app, std::map<std::string, std::string>& flags) {
  const auto add = [&](std::string_view key, std::string_view takes, std::string_view help) {
    app.add_option_function<std::string>(
           concur::text::format("--{}", key),
           [&flags, name = std::string(key)](const std::string& value) {
             flags[name] = concur::decode_words(value);
           },
           std::string(help))
        ->type_name(std::string(takes));
  };
  add("config", "FILE", "read settings from FILE");
  for (const concur::Setting& setting : concur::setting_table()) {
    add(setting.key, setting.takes, setting.help);
  }
}

const std::terminate_handler kAbort = std::get_terminate();

// Memory may run out on any thread and at any place, also where nothing can be thrown further or
// logged: it ends the daemon as other failures do. All else that comes here is a bug, and aborts.
[[noreturn]] void on_terminate() {
  try {
    if (std::current_exception()) std::rethrow_exception(std::current_exception());
  } catch (const std::bad_alloc&) {
    constexpr std::string_view kText = "concurrencyd: cannot go on: out of memory\n";
    static_cast<void>(write(STDERR_FILENO, kText.data(), kText.size()) > 0);
    _exit(static_cast<int>(ExitCode::kInternal));
  } catch (...) {
    kAbort();
  }
  std::abort();
}

// What to do in place of serving.
enum class Task { kServe, kCheckConfig, kMigrate, kRecover };

int run(const concur::SettingInputs& inputs, Task task) {
  const auto effective = concur::resolve_settings(inputs);
  if (!effective) return fail(ExitCode::kUsage, effective.error().message);
  if (task == Task::kCheckConfig) {
    const std::string text = concur::describe(*effective);
    const bool printed =
        std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
    return printed ? 0 : fail(ExitCode::kInternal, "cannot print the settings");
  }
  concur::Logger log(effective->settings.log_level, effective->settings.log_format);
  try {
    if (task == Task::kMigrate) {
      concur::migrate_database(inputs, *effective, log);
    } else if (task == Task::kRecover) {
      concur::recover_database(*effective, log);
    } else {
      concur::run_daemon(inputs, *effective, CONCUR_VERSION, log);
    }
    return static_cast<int>(ExitCode::kClean);
  } catch (const concur::StartupError& error) {
    log.error("{}", error.what());
    return static_cast<int>(error.code);
  } catch (const std::exception& error) {
    log.error("cannot go on: {}", error.what());
    return static_cast<int>(ExitCode::kInternal);
  }
}

}  // namespace

int main(int argc, char** argv) {
  concur::open_standard_streams();
  std::set_terminate(on_terminate);
  concur::SettingInputs inputs;
  inputs.environment = concur::environment_variable;
  inputs.uid = geteuid();
  Task task = Task::kServe;
  CLI::App app{
      "concurrencyd counts the streams that each user is watching and says whether one more may "
      "start.\n"
      "Each setting can also be given as the environment variable CONCURRENCYD_NAME or as a line\n"
      "name = value of the config file; flags override variables, and variables the file.",
      "concurrencyd"};
  app.set_version_flag("--version", "concurrencyd " CONCUR_VERSION);
  CLI::Option* check = app.add_flag_callback(
      "--check-config", [&task] { task = Task::kCheckConfig; },
      "print the effective settings and where each came from");
  CLI::Option* migrate = app.add_flag_callback(
                                "--migrate-only", [&task] { task = Task::kMigrate; },
                                "migrate the database to this version's schema and exit")
                             ->excludes(check);
  app.add_flag_callback(
         "--recover", [&task] { task = Task::kRecover; },
         "salvage what can be read of a damaged database into DATABASE.recovered")
      ->excludes(check)
      ->excludes(migrate);
  add_settings(app, inputs.flags);
  try {
    auto words = concur::encode_words({argv + (argc > 0 ? 1 : 0), argv + argc});
    std::reverse(words.begin(), words.end());  // as CLI11 takes them
    app.parse(std::move(words));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    return fail(ExitCode::kUsage,
                concur::text::format("cannot read the command line: {} (see concurrencyd --help)",
                                     concur::decode_words(error.what())));
  }
  try {
    return run(inputs, task);
  } catch (const std::exception& error) {
    // What the log itself needs could not be had.
    return fail(ExitCode::kInternal, concur::text::format("cannot go on: {}", error.what()));
  }
}
