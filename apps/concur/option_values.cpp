#include "option_values.hpp"

#include "base/duration.hpp"

#include <fmt/format.h>

#include <charconv>

namespace concur::cli {

namespace {

template <class Number>
Number read_whole(const char* option, const std::string& text) {
  Number value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, failed] = std::from_chars(text.data(), end, value);
  if (failed != std::errc() || rest != end) {
    reject(fmt::format("cannot read {} '{}': it takes a whole number from 0 to {}", option, text,
                       std::numeric_limits<Number>::max()));
  }
  return value;
}

}  // namespace

void reject(std::string message) { throw CLI::ValidationError(std::move(message)); }

Millis read_duration(const std::string& text) {
  const auto value = parse_duration(text);
  if (!value) reject(value.error().message);
  return *value;
}

std::uint32_t read_count(const char* option, const std::string& text) {
  return read_whole<std::uint32_t>(option, text);
}

std::uint64_t read_number(const char* option, const std::string& text) {
  return read_whole<std::uint64_t>(option, text);
}

std::pair<std::string, std::string> read_pair(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) {
    reject(fmt::format("cannot read --meta '{}': it takes KEY=VALUE", text));
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

ListFormat read_format(const std::string& text, bool has_table) {
  if (text == "json") return ListFormat::kJson;
  if (text == "ndjson") return ListFormat::kNdjson;
  if (text == "table" && has_table) return ListFormat::kTable;
  reject(fmt::format("cannot read --output '{}': it takes {}", text,
                     has_table ? "json, ndjson or table" : "json or ndjson"));
}

OnLimit read_on_limit(const std::string& text) {
  if (text == "deny") return OnLimit::kDeny;
  if (text == "evict-oldest") return OnLimit::kEvictOldest;
  reject(fmt::format("cannot read --on-limit '{}': it takes deny or evict-oldest", text));
}

CLI::Option* add_option(CLI::App& app, const char* name, const char* value, const char* about,
                        std::function<void(const std::string&)> take) {
  return app
      .add_option(
          name,
          [take = std::move(take)](const CLI::results_t& texts) {
            for (const auto& text : texts) take(text);
            return true;
          },
          about)
      ->type_name(value);
}

void add_on_limit(CLI::App& app, const char* about, std::optional<OnLimit>& to) {
  add_option(app, "--on-limit", "deny|evict-oldest", about,
             [&to](const std::string& text) { to = read_on_limit(text); });
}

}  // namespace concur::cli
