#include "daemon/fleet_settings.hpp"

#include "base/duration.hpp"
#include "base/text.hpp"
#include "base/text_file.hpp"
#include "engine/login.hpp"
#include "engine/net_dialer.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <climits>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace concur {

namespace {

Error bad(std::string cause) { return {ErrorKind::kInvalid, std::move(cause)}; }

bool in_fleet(const Settings& to) { return !to.fleet.seeds.empty(); }
bool always_applies(const Settings& /*to*/) { return true; }

// --- values ---

constexpr std::pair<std::string_view, unsigned> kSizeUnits[] = {
    {"KiB", 10}, {"MiB", 20}, {"GiB", 30}};

std::optional<std::uint64_t> parse_size(std::string_view text) {
  unsigned shift = 0;
  for (const auto& [unit, bits] : kSizeUnits) {
    if (!text.ends_with(unit)) continue;
    text.remove_suffix(unit.size());
    shift = bits;
  }
  std::uint64_t count = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, failed] = std::from_chars(text.data(), end, count);
  if (failed != std::errc() || rest != end || count > (UINT64_MAX >> shift)) return std::nullopt;
  return count << shift;
}

std::string format_size(std::uint64_t size) {
  std::string_view unit;
  unsigned shift = 0;
  for (const auto& [name, bits] : kSizeUnits) {
    if (size % (std::uint64_t{1} << bits) != 0) break;
    unit = name;
    shift = bits;
  }
  return text::format("{}{}", size >> shift, unit);
}

Result<void> set_fleet_url(Settings& into, const std::string& value) {
  if (!value.empty()) return parse_fleet_url(value, into.fleet);
  into.fleet.seeds.clear();
  into.fleet.tls = false;
  return {};
}

Result<void> set_fleet_name(Settings& into, const std::string& value) {
  auto checked = check_fleet_name(value);
  if (checked) into.fleet.name = value;
  return checked;
}

Result<void> set_fleet_ack(Settings& into, const std::string& value) {
  const auto ack = ack_of(value);
  if (!ack) return bad("it takes replica or primary");
  into.fleet.ack = *ack;
  return {};
}

Result<void> set_fleet_unavailable(Settings& into, const std::string& value) {
  const auto unavailable = unavailable_of(value);
  if (!unavailable) return bad("it takes local, deny or allow");
  into.fleet.unavailable = *unavailable;
  return {};
}

Result<void> set_fleet_timeout(Settings& into, const std::string& value) {
  const auto timeout = parse_duration(value);
  if (!timeout) return timeout.error();
  if (*timeout < kMinFleetTimeout || *timeout > kMaxFleetTimeout) {
    return bad(text::format("it takes {} to {}", format_duration(kMinFleetTimeout),
                            format_duration(kMaxFleetTimeout)));
  }
  into.fleet.timeout = *timeout;
  return {};
}

Result<void> set_fleet_cache(Settings& into, const std::string& value) {
  const auto size = parse_size(value);
  if (!size || *size < kMinFleetCache || *size > kMaxFleetCache) {
    return bad(text::format("it takes {} to {}, such as 64MiB", format_size(kMinFleetCache),
                            format_size(kMaxFleetCache)));
  }
  into.fleet.cache = *size;
  return {};
}

Result<void> set_box(Settings& into, const std::string& value) {
  if (value.empty()) {
    into.fleet.box = default_box_label();
    return {};
  }
  auto checked = check_box_label(value);
  if (checked) into.fleet.box = value;
  return checked;
}

// One that is kept as it was written.
template <std::string FleetConfig::*Member>
Result<void> set_text(Settings& into, const std::string& value) {
  into.fleet.*Member = value;
  return {};
}
template <std::string FleetConfig::*Member>
std::string get_text(const Settings& from) {
  return from.fleet.*Member;
}

constexpr Setting kFleetTable[] = {
    {"fleet", "URL", "count users together with other boxes, in the Valkey or Redis at URL", false,
     always_applies, set_fleet_url, [](const Settings& s) { return fleet_url(s.fleet); }},
    {"fleet-name", "NAME", "which fleet, where several share an engine", false, in_fleet,
     set_fleet_name, get_text<&FleetConfig::name>},
    {"fleet-user", "NAME", "as whom the engine knows this box; empty: its default user", false,
     in_fleet, set_text<&FleetConfig::user>, get_text<&FleetConfig::user>},
    {"fleet-password-file", "FILE", "the engine's password, in a file; empty: none", false,
     in_fleet, set_text<&FleetConfig::password_file>, get_text<&FleetConfig::password_file>},
    {"fleet-ca-file", "FILE", "whom to believe with TLS; empty: whom the system believes", false,
     in_fleet, set_text<&FleetConfig::ca_file>, get_text<&FleetConfig::ca_file>},
    {"fleet-cert-file", "FILE", "this box's certificate; empty: none", false, in_fleet,
     set_text<&FleetConfig::cert_file>, get_text<&FleetConfig::cert_file>},
    {"fleet-key-file", "FILE", "the certificate's key; empty: none", false, in_fleet,
     set_text<&FleetConfig::key_file>, get_text<&FleetConfig::key_file>},
    {"fleet-ack", "replica|primary", "replica: answer once a replica has the change too", false,
     in_fleet, set_fleet_ack, [](const Settings& s) { return std::string(word_of(s.fleet.ack)); }},
    {"fleet-unavailable", "local|deny|allow", "what to do with starts while the engine is away",
     false, in_fleet, set_fleet_unavailable,
     [](const Settings& s) { return std::string(word_of(s.fleet.unavailable)); }},
    {"fleet-timeout", "DURATION", "how long anybody waits for the engine", false, in_fleet,
     set_fleet_timeout, [](const Settings& s) { return format_duration(s.fleet.timeout); }},
    {"fleet-cache", "SIZE", "memory for users who were lately decided here", false, in_fleet,
     set_fleet_cache, [](const Settings& s) { return format_size(s.fleet.cache); }},
    {"box", "LABEL", "what this box is called in lists and events; default: the host's name", false,
     in_fleet, set_box, get_text<&FleetConfig::box>},
};

// --- what needs what ---

Error needs(const Effective& effective, std::string_view key, std::string_view cause) {
  return bad(text::format("cannot use {} ({}): {}", key, effective.sources.at(key), cause));
}

struct NamedFile {
  std::string_view key;
  std::string FleetConfig::*path;
};

constexpr NamedFile kTlsFiles[] = {{"fleet-ca-file", &FleetConfig::ca_file},
                                   {"fleet-cert-file", &FleetConfig::cert_file},
                                   {"fleet-key-file", &FleetConfig::key_file}};

bool is_regular(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) != 0 || S_ISREG(info.st_mode);
}

}  // namespace

std::span<const Setting> fleet_setting_table() { return kFleetTable; }

std::string default_box_label() {
  char name[HOST_NAME_MAX + 1] = {};
  const std::string label = ::gethostname(name, sizeof name - 1) == 0 ? name : "";
  return check_box_label(label) ? label : "localhost";
}

Result<void> check_fleet_settings(const Effective& effective) {
  const FleetConfig& fleet = effective.settings.fleet;
  if (!in_fleet(effective.settings)) {
    if (!fleet.user.empty()) return needs(effective, "fleet-user", "fleet is not set");
    if (!fleet.password_file.empty()) {
      return needs(effective, "fleet-password-file", "fleet is not set");
    }
  }
  for (const auto& [key, path] : kTlsFiles) {
    if ((fleet.*path).empty() || fleet.tls) continue;
    return needs(effective, key,
                 in_fleet(effective.settings) ? "fleet is without TLS; with it it begins with "
                                                "valkeys://"
                                              : "fleet is not set");
  }
  if (!fleet.user.empty() && fleet.password_file.empty()) {
    return needs(effective, "fleet-user", "it needs fleet-password-file");
  }
  if (!fleet.cert_file.empty() && fleet.key_file.empty()) {
    return needs(effective, "fleet-cert-file", "it needs fleet-key-file");
  }
  if (!fleet.key_file.empty() && fleet.cert_file.empty()) {
    return needs(effective, "fleet-key-file", "it needs fleet-cert-file");
  }
  return {};
}

Result<void> check_fleet_files(const FleetConfig& fleet) {
  if (fleet.seeds.empty()) return {};
  if (!fleet.password_file.empty() && is_regular(fleet.password_file)) {
    const auto password = engine::read_password(fleet.password_file, std::chrono::milliseconds(0));
    if (!password) return password.error();
  }
  if (!fleet.tls) return {};
  const auto tls = engine::load_tls({fleet.ca_file, fleet.cert_file, fleet.key_file});
  if (!tls) return tls.error();
  return {};
}

}  // namespace concur
