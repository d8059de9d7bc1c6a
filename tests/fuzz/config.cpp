// The config file: whatever it holds is refused with a reason, or gives settings that, written as a
// config file, give the same settings.
#include "base/fd.hpp"
#include "base/text.hpp"
#include "daemon/config_file.hpp"
#include "daemon/settings.hpp"
#include "support/claim.hpp"
#include "support/fuzz_target.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <string_view>

using namespace concur;
using fuzz::claim;

namespace {

// A file without a name that can be opened by path.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view text) : fd_(memfd_create("config", MFD_CLOEXEC)) {
    claim(write(fd_.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()),
          "memory can be written");
  }
  std::string path() const { return text::format("/proc/self/fd/{}", fd_.get()); }

 private:
  Fd fd_;
};

Result<Effective> resolve(std::string_view text) {
  const MemoryFile file(text);
  SettingInputs inputs;
  inputs.uid = 1000;
  inputs.flags["config"] = file.path();
  inputs.environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "XDG_RUNTIME_DIR" || name == "HOME") return "/home/u";
    return std::nullopt;
  };
  return resolve_settings(inputs);
}

void check_lines(std::string_view text) {
  const auto lines = parse_config("file", text);
  if (!lines) {
    claim(lines.error().kind == ErrorKind::kInvalid, "a file is refused as invalid");
    claim(lines.error().message.starts_with("cannot read file line "), "with the line's number");
    return;
  }
  int before = 0;
  for (const ConfigLine& line : *lines) {
    claim(line.number > before && !line.key.empty(), "lines come in their order");
    claim(line.value.find('\n') == std::string::npos, "a value is of one line");
    before = line.number;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_lines(text);
  const auto read = resolve(text);
  if (!read) {
    claim(read.error().kind == ErrorKind::kInvalid, "settings are refused as invalid");
    claim(read.error().message.starts_with("cannot "), "with a reason");
    return 0;
  }
  claim(!describe(*read).empty(), "settings can be shown");
  std::string written;
  for (const Setting& setting : setting_table()) {
    written += text::format("{} = \"{}\"\n", setting.key, setting.get(read->settings));
  }
  const auto again = resolve(written);
  claim(again.has_value(), "settings that are in force can be set");
  for (const Setting& setting : setting_table()) {
    claim(setting.get(again->settings) == setting.get(read->settings), "to the same");
  }
  return 0;
}
