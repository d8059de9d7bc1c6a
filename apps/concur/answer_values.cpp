#include "answer_values.hpp"

#include "base/json_text.hpp"
#include "base/text.hpp"
#include "terminal.hpp"

#include <array>
#include <chrono>
#include <utility>

namespace concur::cli {

namespace {

namespace json = boost::json;

// `2026-11-23T16:00:00.000Z`, the one form that the daemon writes.
std::optional<WallTime> read_utc(std::string_view text) {
  using namespace std::chrono;
  constexpr std::string_view kForm = "0000-00-00T00:00:00.000Z";
  if (text.size() != kForm.size()) return std::nullopt;
  std::array<int, 7> fields{};
  std::size_t field = 0;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    if (kForm[i] != '0') {
      if (text[i] != kForm[i]) return std::nullopt;
      ++field;
      continue;
    }
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    fields[field] = fields[field] * 10 + (text[i] - '0');
  }
  const auto [year_, month_, day_, hour, minute, second, millis] = fields;
  const year_month_day date(year(year_), month(static_cast<unsigned>(month_)),
                            day(static_cast<unsigned>(day_)));
  if (!date.ok()) return std::nullopt;
  return WallTime(sys_days(date)) + hours(hour) + minutes(minute) + seconds(second) +
         Millis(millis);
}

}  // namespace

std::optional<json::object> read_object(std::string_view text) {
  boost::system::error_code code;
  json::value value = json::parse(text, code);
  if (code || !value.is_object()) return std::nullopt;
  return std::move(value.as_object());
}

void append_json(std::string& out, const json::value& value) {
  const char* separator = "";
  switch (value.kind()) {
    case json::kind::null:
      out += "null";
      break;
    case json::kind::bool_:
      out += value.get_bool() ? "true" : "false";
      break;
    case json::kind::int64:
      out += text::Digits(value.get_int64()).view();
      break;
    case json::kind::uint64:
      out += text::Digits(value.get_uint64()).view();
      break;
    case json::kind::double_:
      text::append(out, "{}", value.get_double());
      break;
    case json::kind::string:
      append_json_string(out, value.get_string());
      break;
    case json::kind::array:
      out += '[';
      for (const json::value& each : value.get_array()) {
        append_json(out += std::exchange(separator, ","), each);
      }
      out += ']';
      break;
    case json::kind::object:
      out += '{';
      for (const auto& [key, of_key] : value.get_object()) {
        append_json_string(out += std::exchange(separator, ","), key);
        append_json(out += ':', of_key);
      }
      out += '}';
      break;
  }
}

std::optional<std::string> text_of(const json::object& members, std::string_view name) {
  const json::value* value = members.if_contains(name);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return printable(value->as_string());
}

std::optional<WallTime> time_of(const json::object& members, std::string_view name) {
  const json::value* value = members.if_contains(name);
  return value != nullptr && value->is_string() ? read_utc(value->as_string()) : std::nullopt;
}

std::uint64_t count_of(const json::object& members, std::string_view name) {
  const json::value* value = members.if_contains(name);
  if (value == nullptr || !value->is_number()) return 0;
  boost::system::error_code code;
  const auto count = value->to_number<std::uint64_t>(code);
  return code ? 0 : count;
}

double number_of(const json::object& members, std::string_view name) {
  const json::value* value = members.if_contains(name);
  return value != nullptr && value->is_number() ? value->to_number<double>() : 0;
}

const json::object* object_of(const json::object& members, std::string_view name) {
  const json::value* value = members.if_contains(name);
  return value != nullptr ? value->if_object() : nullptr;
}

const json::array* array_of(const json::object& members, std::string_view name) {
  const json::value* value = members.if_contains(name);
  return value != nullptr ? value->if_array() : nullptr;
}

}  // namespace concur::cli
