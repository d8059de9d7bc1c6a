#include "session/purge_match.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <string>
#include <string_view>

namespace concur {

namespace {

bool is_or_any(std::string_view meant, std::string_view has) {
  return meant.empty() || meant == has;
}

// As whoever asks writes it: a text without quotes, anything else as JSON has it.
std::string text_of_value(const boost::json::value& value) {
  if (const auto* text = value.if_string()) return {text->data(), text->size()};
  return boost::json::serialize(value);
}

bool has_meta(const Purge& purge, const std::string& meta) {
  if (purge.meta.empty()) return true;
  if (meta.empty()) return false;
  boost::json::error_code failed;
  const auto value = boost::json::parse(meta, failed);
  if (failed || !value.is_object()) return false;
  for (const auto& [key, meant] : purge.meta) {
    const auto* member = value.get_object().if_contains(key);
    if (member == nullptr || text_of_value(*member) != meant) return false;
  }
  return true;
}

}  // namespace

bool is_meant(const Purge& purge, Instant started, Instant last_seen, const Details* details,
              Instant now) {
  if (last_seen + purge.idle > now || started + purge.older_than > now) return false;
  static const Details kNothing;
  const Details& known = details == nullptr ? kNothing : *details;
  return is_or_any(purge.ip, known.ip) && is_or_any(purge.device, known.device) &&
         is_or_any(purge.content, known.content) && has_meta(purge, known.meta);
}

}  // namespace concur
