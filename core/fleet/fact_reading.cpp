#include "fleet/fact_reading.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <charconv>

namespace concur::facts {

std::string_view value_of(const FactMap& facts, std::string_view name) {
  const auto found = facts.find(name);
  return found == facts.end() ? std::string_view() : std::string_view(found->second);
}

std::optional<std::uint64_t> number_of(const FactMap& facts, std::string_view name) {
  const std::string_view text = value_of(facts, name);
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, failed] = std::from_chars(text.data(), end, number);
  if (failed != std::errc() || rest != end) return std::nullopt;
  return number;
}

bool is_valkey(const ServerFacts& server) {
  return !value_of(server.info, "valkey_version").empty();
}

std::string version_of(const ServerFacts& server) {
  if (is_valkey(server)) return text::format("valkey {}", value_of(server.info, "valkey_version"));
  const std::string_view redis = value_of(server.info, "redis_version");
  return redis.empty() ? std::string() : text::format("redis {}", redis);
}

bool is_loopback(const engine::Address& address) {
  return address.host == "localhost" || address.host.starts_with("127.") || address.host == "::1";
}

bool any_in_cluster(const FleetFacts& facts) {
  return std::ranges::any_of(facts.servers, &ServerFacts::in_cluster);
}

std::string typed(const ServerFacts& server, const FleetFacts& facts, std::string_view command) {
  std::string line = text::format("{} -h {} -p {}", is_valkey(server) ? "valkey-cli" : "redis-cli",
                                  server.address.host, server.address.port);
  if (facts.config.tls) line += " --tls";
  if (!facts.config.ca_file.empty()) text::append(line, " --cacert {}", facts.config.ca_file);
  if (!facts.config.password_file.empty()) line += " --askpass";
  text::append(line, " {}", command);
  return line;
}

std::vector<std::string> set_and_keep(const ServerFacts& server, const FleetFacts& facts,
                                      std::string_view setting) {
  return {typed(server, facts, text::format("CONFIG SET {}", setting)),
          typed(server, facts, "CONFIG REWRITE")};
}

}  // namespace concur::facts
