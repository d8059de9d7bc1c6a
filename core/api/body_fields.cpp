#include "api/body_fields.hpp"

#include "base/duration.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"
#include "rules/address.hpp"
#include "rules/rule.hpp"
#include "service/service.hpp"
#include "session/detail_text.hpp"
#include "session/id.hpp"
#include "session/policy.hpp"
#include "session/wording.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

namespace concur::body {

namespace {

constexpr std::size_t kMostMetaKeys = 16;
constexpr std::size_t kMostMetaBytes = 1024;
constexpr std::size_t kMostDepth = 4;

Result<void> read_ttl(const json::value& value, StartBody& into) {
  const auto ttl = read_duration("ttl", value);
  if (!ttl) return ttl.error();
  if (*ttl < kMinLease || *ttl > kMaxLease) {
    return bad_field(
        "ttl", text::format("{} to {}", format_duration(kMinLease), format_duration(kMaxLease)));
  }
  into.ttl = *ttl;
  return {};
}

Result<void> read_wait(const json::value& value, StartBody& into) {
  const auto wait = read_duration("wait", value);
  if (!wait) return wait.error();
  if (*wait > kMaxWait) {
    return bad_field("wait", text::format("0 (not at all) to {}", format_duration(kMaxWait)));
  }
  into.wait = *wait;
  return {};
}

Result<StartToken> read_start(const json::value& value) {
  const auto token = value.is_string() ? StartToken::parse(view(value.get_string())) : std::nullopt;
  if (!token) return bad_start("field");
  return *token;
}

// Of any length.
Result<std::string_view> read_text(std::string_view name, const json::value& value) {
  const bool plain = value.is_string() && !has_control(view(value.get_string()));
  if (!plain) return bad_field(name, "text without control characters");
  return view(value.get_string());
}

Result<void> read_device(const json::value& value, std::string& into) {
  const auto device = read_text("device", value);
  if (!device) return device.error();
  into = cut_device(*device);
  return {};
}

Result<void> read_address(const json::value& value, std::string& into) {
  const auto address = read_text("ip", value);
  if (!address) return address.error();
  into = cut_text(bare_address(*address), kMaxDetailBytes);
  return {};
}

Result<void> read_content(const json::value& value, std::string& into) {
  const auto content = read_text("content", value);
  if (!content) return content.error();
  into = cut_text(*content, kMaxDetailBytes);
  return {};
}

// A number such as 1e400 is read as infinite, which JSON cannot write.
bool is_meta_value(const json::value& value) {
  if (value.is_structured()) return false;
  return !value.is_double() || std::isfinite(value.get_double());
}

// How many bytes of JSON a byte of a text becomes.
std::size_t written_size(char c) {
  constexpr std::string_view kShort = "\"\\\b\f\n\r\t";
  if (kShort.find(c) != std::string_view::npos) return 2;
  return static_cast<unsigned char>(c) < 0x20 ? 6 : 1;
}

// Cuts off the end, or all there is, so that so many bytes of JSON less are written.
void cut_written(json::string& text, std::size_t bytes) {
  std::size_t size = text.size();
  for (std::size_t gone = 0; size > 0 && gone < bytes;) gone += written_size(text[--size]);
  text.resize(cut_text(view(text), size).size());
}

// Cuts the longest texts until all of it fits. False where that is not enough.
bool cut_to_fit(json::object& meta, std::string& text) {
  for (text = json::serialize(meta); text.size() > kMostMetaBytes; text = json::serialize(meta)) {
    json::string* longest = nullptr;
    for (auto& member : meta) {
      json::string* each = member.value().if_string();
      if (each != nullptr && (longest == nullptr || each->size() > longest->size())) longest = each;
    }
    if (longest == nullptr || longest->empty()) return false;
    cut_written(*longest, text.size() - kMostMetaBytes);
  }
  return true;
}

Result<void> read_meta(const json::value& value, std::string& into) {
  const Error bad =
      bad_field("meta", "an object of at most 16 texts, numbers or truth values and 1 KiB");
  if (!value.is_object()) return bad;
  json::object meta;
  for (const auto& member : value.get_object()) {
    if (!is_meta_value(member.value())) return bad;
    if (!member.value().is_null()) meta.emplace(member.key(), member.value());
  }
  if (meta.size() > kMostMetaKeys) return bad;
  if (meta.empty()) return {};
  std::string text;
  if (!cut_to_fit(meta, text)) return bad;
  into = std::move(text);
  return {};
}

// Null takes away what is set.
template <class T>
Result<void> keep_or_clear(const json::value& value, Result<T> (*read)(const json::value&),
                           Patch<T>& into) {
  if (value.is_null()) {
    into.emplace();
    return {};
  }
  return keep(read(value), into);
}

// --- which sessions a purge means ---

Result<Millis> read_age(std::string_view name, const json::value& value) {
  auto age = read_duration(name, value);
  if (age && *age == Millis(0)) {
    return bad_field(name, "more than nothing; to purge each session say all");
  }
  return age;
}

Result<std::string> read_meant_text(std::string_view name, const json::value& value) {
  const auto text = read_text(name, value);
  if (!text) return text.error();
  if (text->empty()) return bad_field(name, "a text that is not empty");
  return std::string(*text);
}

Result<void> read_meant_meta(const json::value& value, Purge& into) {
  const Error bad =
      bad_field("meta", "an object of 1 to 16 texts, numbers or truth values, none of them null");
  if (!value.is_object() || value.get_object().empty()) return bad;
  if (value.get_object().size() > kMostMetaKeys) return bad;
  for (const auto& member : value.get_object()) {
    const json::value& meant = member.value();
    if (meant.is_null() || !is_meta_value(meant)) return bad;
    into.meta.emplace_back(member.key(), meant.is_string() ? std::string(view(meant.get_string()))
                                                           : json::serialize(meant));
  }
  return {};
}

bool is_start_field(std::string_view name) {
  constexpr std::string_view kFields[] = {"ttl",    "limit",      "onLimit", "replace",
                                          "device", "ip",         "content", "meta",
                                          "start",  "replaceAll", "wait"};
  return std::ranges::find(kFields, name) != std::end(kFields);
}

}  // namespace

Error bad_field(std::string_view name, std::string_view takes) {
  return {ErrorKind::kInvalid, text::format("cannot accept field '{}': it takes {}", name, takes)};
}

Error unknown_field(std::string_view name) {
  return {ErrorKind::kInvalid, text::format("cannot accept field '{}': it is not known", name)};
}

Error bad_start(std::string_view what) {
  return {ErrorKind::kInvalid,
          text::format("cannot accept {} 'start': it takes what the answer to a start has there",
                       what)};
}

Error unreadable(std::uint64_t line, std::string_view cause) {
  const std::string what = line == 0 ? "body" : text::format("line {}", line);
  return {ErrorKind::kInvalid, text::format("cannot read {}: {}", what, cause)};
}

Result<json::value> parse(std::string_view text, std::uint64_t line, json::storage_ptr storage) {
  json::parse_options options;
  options.max_depth = kMostDepth;
  text = without_byte_order_mark(text);
  json::error_code failed;
  json::value value = json::parse({text.data(), text.size()}, failed, std::move(storage), options);
  // Which byte was wrong in the grammar says nothing to whoever has a title in another encoding.
  if (failed) return unreadable(line, is_utf8(text) ? failed.message() : "it is not UTF-8");
  return value;
}

Result<json::object> object_of(json::value value, std::uint64_t line) {
  if (!value.is_object()) return unreadable(line, "it takes a JSON object");
  return std::move(value.get_object());
}

Result<json::object> parse_object(std::string_view text, std::uint64_t line,
                                  json::storage_ptr storage) {
  auto value = parse(text, line, std::move(storage));
  if (!value) return value.error();
  return object_of(std::move(*value), line);
}

Result<Millis> read_duration(std::string_view name, const json::value& value) {
  const auto bad = [name] {
    return bad_field(name, text::format("seconds, or a duration such as \"5m\", up to {}",
                                        format_duration(kMaxDuration)));
  };
  if (value.is_string()) {
    auto parsed = parse_duration(view(value.get_string()));
    return parsed ? parsed : bad();
  }
  if (!value.is_number()) return bad();
  const double seconds = value.to_number<double>();
  constexpr double kMostSeconds = static_cast<double>(kMaxDuration.count()) / 1000;
  if (!(seconds >= 0 && seconds <= kMostSeconds)) return bad();
  return Millis(std::llround(seconds * 1000));
}

Result<std::uint32_t> read_limit(const json::value& value) {
  json::error_code failed;
  const auto limit = value.to_number<std::uint32_t>(failed);
  if (failed || limit > kMaxLimit) {
    return bad_field("limit", text::format("a whole number from 0 (no limit) to {}", kMaxLimit));
  }
  return limit;
}

Result<OnLimit> read_on_limit(const json::value& value) {
  const auto word = value.is_string() ? on_limit_of(view(value.get_string())) : std::nullopt;
  if (!word) return bad_field("onLimit", "\"deny\", \"evict-oldest\" or \"evict-newest\"");
  return *word;
}

Result<std::string> read_name(std::string_view field, const json::value& value) {
  if (!value.is_string() || value.get_string().empty()) return bad_field(field, "a name");
  const auto id = Id::parse(field, view(value.get_string()));
  if (!id) return id.error();
  return std::string(id->text());
}

Result<std::string> read_message(std::string_view name, const json::value& value) {
  if (value.is_null()) return std::string();
  if (!value.is_string()) return bad_field(name, "text");
  const std::string_view message = view(value.get_string());
  if (const auto checked = check_message(message); !checked) {
    return Error{ErrorKind::kInvalid,
                 text::format("cannot accept field '{}': {}", name, checked.error().message)};
  }
  return std::string(message);
}

Result<Millis> read_block_length(std::string_view name, const json::value& value) {
  auto length = read_duration(name, value);
  if (!length) return length;
  if (*length > Millis(0) && *length <= kMaxBlock) return length;
  return bad_field(name,
                   text::format("more than nothing and up to {}", format_duration(kMaxBlock)));
}

Result<void> read_block_field(std::string_view name, const json::value& value, BlockBody& into) {
  if (name == "message") return keep(read_message(name, value), into.message);
  if (name != "for") return unknown_field(name);
  if (is_nothing(value, false)) return {};
  return keep(read_block_length(name, value), into.length);
}

// Numbers for rules, by their names: {"tvs":2,"homes":null}.
Result<void> read_numbers(const json::value& value, RulePatch& into) {
  const Error bad = bad_field("rules", "an object of rules' names and whole numbers, or null");
  const json::object* object = value.if_object();
  if (object == nullptr || object->empty()) return bad;
  for (const auto& member : *object) {
    const std::string_view name = view(member.key());
    if (!is_rule_name(name)) return bad;
    std::optional<std::uint32_t> number;
    if (!member.value().is_null()) {
      const auto read = read_limit(member.value());
      if (!read) return bad;
      number = *read;
    }
    into.emplace_back(std::string(name), number);
  }
  return {};
}

Result<void> read_rule_field(std::string_view name, const json::value& value, RuleBody& into) {
  if (name == "limit") return keep_or_clear(value, read_limit, into.limit);
  if (name == "onLimit") return keep_or_clear(value, read_on_limit, into.on_limit);
  if (name == "rules") return read_numbers(value, into.rules);
  if (name != "plan") return unknown_field(name);
  return keep_or_clear<std::string>(
      value, [](const json::value& plan) { return read_name("plan", plan); }, into.plan);
}

Result<void> check_limit(const RuleBody& body) {
  if (body.limit || body.plan || body.on_limit || !body.rules.empty()) return {};
  return Error{ErrorKind::kInvalid, "cannot set a limit: say limit, plan, onLimit or rules"};
}

Result<void> check_plan(const RuleBody& body) {
  if (body.plan) return unknown_field("plan");
  if (body.limit && !*body.limit) {
    return bad_field("limit", text::format("a whole number from 0 (no limit) to {}", kMaxLimit));
  }
  return check_limit(body);
}

bool is_purge_selector(std::string_view name) {
  constexpr std::string_view kSelectors[] = {"user",   "idle",    "olderThan", "ip",
                                             "device", "content", "meta"};
  return std::ranges::find(kSelectors, name) != std::end(kSelectors);
}

Result<void> read_purge_selector(std::string_view name, const json::value& value, PurgeBody& into) {
  Purge& purge = into.purge;
  if (name == "idle") return keep(read_age(name, value), purge.idle);
  if (name == "olderThan") return keep(read_age(name, value), purge.older_than);
  if (name == "meta") return read_meant_meta(value, purge);
  const auto text = read_meant_text(name, value);
  if (!text) return text.error();
  if (name == "user") {
    into.user = *text;
  } else if (name == "device") {
    purge.device = cut_device(*text);
  } else if (name == "content") {
    purge.content = cut_text(*text, kMaxDetailBytes);
  } else {
    purge.ip = cut_text(bare_address(*text), kMaxDetailBytes);
    if (purge.ip.empty()) return bad_field(name, "an address");
  }
  return {};
}

Result<void> read_purge_option(std::string_view name, const json::value& value, Purge& into) {
  if (name == "message") return keep(read_message(name, value), into.message);
  if (name == "block") {
    return is_nothing(value, false) ? Result<void>()
                                    : keep(read_block_length(name, value), into.block);
  }
  if (name != "dryRun") return unknown_field(name);
  if (!value.is_bool()) return bad_field(name, "true or false");
  into.dry_run = value.get_bool();
  return {};
}

bool is_nothing(const json::value& value, bool is_object) {
  if (const auto* list = value.if_array()) return is_object && list->empty();
  if (const auto* text = value.if_string()) return text->empty();
  return value.is_null();
}

Result<void> read_start_field(std::string_view name, const json::value& value, StartBody& into) {
  if (is_start_field(name) && is_nothing(value, name == "meta")) return {};
  if (name == "ttl") return read_ttl(value, into);
  if (name == "limit") return keep(read_limit(value), into.limit);
  if (name == "onLimit") return keep(read_on_limit(value), into.on_limit);
  if (name == "replace") return keep(read_name(name, value), into.replace);
  if (name == "device") return read_device(value, into.details.device);
  if (name == "ip") return read_address(value, into.details.ip);
  if (name == "content") return read_content(value, into.details.content);
  if (name == "meta") return read_meta(value, into.details.meta);
  if (name == "start") return keep(read_start(value), into.start);
  if (name == "replaceAll") {
    if (!value.is_bool()) return bad_field(name, "true or false");
    into.replace_all = value.get_bool();
    return {};
  }
  if (name == "wait") return read_wait(value, into);
  return unknown_field(name);
}

Result<void> check_start(const StartBody& body) {
  if (!body.replace || !body.replace_all) return {};
  return Error{ErrorKind::kInvalid,
               "cannot start: the fields 'replace' and 'replaceAll' exclude each other"};
}

bool is_heartbeat_field(std::string_view name) { return name == "ttl" || name == "start"; }

}  // namespace concur::body
