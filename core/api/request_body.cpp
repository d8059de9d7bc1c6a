#include "api/request_body.hpp"

#include "base/duration.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"
#include "session/address.hpp"
#include "session/detail_text.hpp"
#include "session/id.hpp"
#include "session/policy.hpp"

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

namespace concur {

namespace {

namespace json = boost::json;

constexpr std::size_t kMostMetaKeys = 16;
constexpr std::size_t kMostMetaBytes = 1024;
constexpr std::size_t kMostDepth = 4;

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }
std::string_view view(json::string_view text) { return {text.data(), text.size()}; }

Error bad_field(std::string_view name, std::string_view takes) {
  return {ErrorKind::kInvalid, text::format("cannot accept field '{}': it takes {}", name, takes)};
}

Error unknown_field(std::string_view name) {
  return {ErrorKind::kInvalid, text::format("cannot accept field '{}': it is not known", name)};
}

// `line` is a batch's, or 0 for a body of its own.
Error unreadable(std::uint64_t line, std::string_view cause) {
  const std::string what = line == 0 ? "body" : text::format("line {}", line);
  return {ErrorKind::kInvalid, text::format("cannot read {}: {}", what, cause)};
}

Result<json::value> parse(std::string_view text, std::uint64_t line = 0,
                          json::storage_ptr storage = {}) {
  json::parse_options options;
  options.max_depth = kMostDepth;
  text = without_byte_order_mark(text);
  json::error_code failed;
  json::value value = json::parse({text.data(), text.size()}, failed, std::move(storage), options);
  if (failed) return unreadable(line, failed.message());
  return value;
}

Result<json::object> object_of(json::value value, std::uint64_t line = 0) {
  if (!value.is_object()) return unreadable(line, "it takes a JSON object");
  return std::move(value.get_object());
}

Result<json::object> parse_object(std::string_view text, std::uint64_t line = 0,
                                  json::storage_ptr storage = {}) {
  auto value = parse(text, line, std::move(storage));
  if (!value) return value.error();
  return object_of(std::move(*value), line);
}

// Seconds as a number, or text such as "5m".
Result<Millis> read_duration(std::string_view name, const json::value& value) {
  const Error bad = bad_field(name, "seconds, or a duration such as \"5m\"");
  if (value.is_string()) {
    const auto parsed = parse_duration(view(value.get_string()));
    return parsed ? parsed : bad;
  }
  if (!value.is_number()) return bad;
  const double seconds = value.to_number<double>();
  constexpr double kMostSeconds = 1e9;
  if (!(seconds >= 0 && seconds <= kMostSeconds)) return bad;
  return Millis(std::llround(seconds * 1000));
}

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

// A name of something else than the path names.
Result<std::string> read_name(std::string_view field, const json::value& value) {
  if (!value.is_string() || value.get_string().empty()) return bad_field(field, "a name");
  const auto id = Id::parse(field, view(value.get_string()));
  if (!id) return id.error();
  return std::string(id->text());
}

// A token that is no token, in a field or a parameter.
Error bad_start(std::string_view what) {
  return {ErrorKind::kInvalid,
          text::format("cannot accept {} 'start': it takes what the answer to a start has there",
                       what)};
}

Result<StartToken> read_start(const json::value& value) {
  const auto token = value.is_string() ? StartToken::parse(view(value.get_string())) : std::nullopt;
  if (!token) return bad_start("field");
  return *token;
}

template <class T, class Into>
Result<void> keep(const Result<T>& read, Into& into) {
  if (!read) return read.error();
  into = *read;
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

// Clients write what they do not know in many ways: PHP an empty object as [].
bool is_nothing(const json::value& value, bool is_object) {
  if (const auto* list = value.if_array()) return is_object && list->empty();
  if (const auto* text = value.if_string()) return text->empty();
  return value.is_null();
}

bool is_start_field(std::string_view name) {
  constexpr std::string_view kFields[] = {"ttl", "limit",   "onLimit", "replace", "device",
                                          "ip",  "content", "meta",    "start"};
  return std::ranges::find(kFields, name) != std::end(kFields);
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
  return unknown_field(name);
}

bool is_heartbeat_field(std::string_view name) { return name == "ttl" || name == "start"; }

Result<void> read_rule_field(std::string_view name, const json::value& value, RuleBody& into) {
  if (name == "limit") return keep_or_clear(value, read_limit, into.limit);
  if (name == "onLimit") return keep_or_clear(value, read_on_limit, into.on_limit);
  if (name != "plan") return unknown_field(name);
  return keep_or_clear<std::string>(
      value, [](const json::value& plan) { return read_name("plan", plan); }, into.plan);
}

}  // namespace

Result<StartBody> parse_start_body(std::string_view body) {
  StartBody parsed;
  if (body.empty()) return parsed;
  auto value = parse(body);
  if (!value) return value.error();
  if (is_nothing(*value, true)) return parsed;
  const auto object = object_of(std::move(*value));
  if (!object) return object.error();
  for (const auto& member : *object) {
    if (const auto read = read_start_field(view(member.key()), member.value(), parsed); !read) {
      return read.error();
    }
  }
  return parsed;
}

Result<HeartbeatBody> parse_heartbeat_body(std::string_view body) {
  if (body.empty()) return HeartbeatBody();
  unsigned char room[1024];
  json::monotonic_resource memory(room, sizeof room);
  const auto value = parse(body, 0, &memory);
  if (!value) return value.error();
  if (is_nothing(*value, true)) return HeartbeatBody();
  const json::object* object = value->if_object();
  if (object == nullptr) return unreadable(0, "it takes a JSON object");
  StartBody parsed;
  for (const auto& member : *object) {
    const std::string_view name = view(member.key());
    if (!is_heartbeat_field(name)) return unknown_field(name);
    if (auto read = read_start_field(name, member.value(), parsed); !read) return read.error();
  }
  return HeartbeatBody{parsed.ttl, parsed.start};
}

Result<std::optional<StartToken>> parse_start_parameter(std::optional<std::string_view> text) {
  if (!text || text->empty()) return std::optional<StartToken>();
  const auto token = StartToken::parse(*text);
  if (!token) return bad_start("parameter");
  return token;
}

namespace {

std::optional<BatchCommand> command_of(std::string_view name) {
  if (name == "start") return BatchCommand::kStart;
  if (name == "heartbeat") return BatchCommand::kHeartbeat;
  if (name == "end") return BatchCommand::kEnd;
  return std::nullopt;
}

Result<void> read_command(const json::object& object, std::uint64_t line, BatchLine& into) {
  const json::value* value = object.if_contains("command");
  const auto command =
      value != nullptr && value->is_string() ? command_of(view(value->get_string())) : std::nullopt;
  if (!command) return unreadable(line, "its command is start, heartbeat or end");
  into.command = *command;
  return {};
}

Result<void> read_name(std::string_view name, const json::value& value, std::string& into) {
  if (!value.is_string()) return bad_field(name, "text");
  into = view(value.get_string());
  return {};
}

// Which of start's fields go with the command.
bool takes(BatchCommand command, std::string_view field) {
  switch (command) {
    case BatchCommand::kStart:
      return true;
    case BatchCommand::kHeartbeat:
      return is_heartbeat_field(field);
    case BatchCommand::kEnd:
      return field == "start";
  }
  return false;
}

Result<void> read_batch_field(std::string_view name, const json::value& value, BatchLine& into) {
  if (name == "command") return {};
  if (name == "user") return read_name(name, value, into.user);
  if (name == "session") return read_name(name, value, into.session);
  if (!into.body) into.body.emplace();
  auto read = read_start_field(name, value, *into.body);
  if (!read || takes(into.command, name)) return read;
  return Error{ErrorKind::kInvalid,
               text::format("cannot accept field '{}': it is for starts {}", name,
                            is_heartbeat_field(name) ? "and heartbeats alone" : "alone")};
}

void skip_spaces(std::string_view& rest) {
  while (rest.starts_with(' ')) rest.remove_prefix(1);
}

bool take(std::string_view& rest, char c) {
  skip_spaces(rest);
  if (!rest.starts_with(c)) return false;
  rest.remove_prefix(1);
  return true;
}

// None where the next is no text of ASCII without escapes.
std::optional<std::string_view> take_plain_text(std::string_view& rest) {
  if (!take(rest, '"')) return std::nullopt;
  const std::string_view text = rest.substr(0, rest.find('"'));
  if (text.size() == rest.size() || text.find('\\') != std::string_view::npos ||
      !is_printable_ascii(text)) {
    return std::nullopt;
  }
  rest.remove_prefix(text.size() + 1);
  return text;
}

// Reads a line that has a command, names and perhaps a token once each, in plain text and nothing
// else, as nearly all do: in a tenth of the time that a parser of JSON takes, which takes all
// others. False, and nothing read, where it is another.
bool read_plain_line(std::string_view rest, BatchLine& into) {
  std::optional<std::string_view> command;
  std::optional<std::string_view> user;
  std::optional<std::string_view> session;
  std::optional<std::string_view> start;
  for (char before = '{'; before != '}'; before = take(rest, '}') ? '}' : ',') {
    if (!take(rest, before)) return false;
    const auto name = take_plain_text(rest);
    if (!name || !take(rest, ':')) return false;
    auto* const value = *name == "command"   ? &command
                        : *name == "user"    ? &user
                        : *name == "session" ? &session
                        : *name == "start"   ? &start
                                             : nullptr;
    if (value == nullptr || *value) return false;
    *value = take_plain_text(rest);
    if (!*value) return false;
  }
  skip_spaces(rest);
  const auto known = command_of(command.value_or(""));
  if (!known || !rest.empty()) return false;
  const auto token = start ? StartToken::parse(*start) : std::nullopt;
  if (start && !token) return false;
  if (token) into.body.emplace().start = token;
  into.command = *known;
  into.user = user.value_or("");
  into.session = session.value_or("");
  return true;
}

}  // namespace

Result<void> parse_batch_line(std::string_view line, std::uint64_t number, BatchLine& into) {
  into.body.reset();
  if (read_plain_line(line, into)) return {};
  into.user.clear();
  into.session.clear();
  unsigned char room[4096];
  json::monotonic_resource memory(room, sizeof room);
  const auto object = parse_object(line, number, &memory);
  if (!object) return object.error();
  if (auto read = read_command(*object, number, into); !read) return read;
  for (const auto& member : *object) {
    if (auto read = read_batch_field(view(member.key()), member.value(), into); !read) return read;
  }
  return {};
}

Start start_of(const Id& user, const Id& session, StartBody& body) {
  Start start{user, session, body.ttl, body.limit, std::move(body.details), body.on_limit};
  if (body.replace) start.replace = *Id::parse("session", *body.replace);
  start.start = body.start;
  return start;
}

Result<PurgeBody> parse_purge_body(std::string_view body) {
  const auto object = parse_object(body);
  if (!object) return object.error();
  PurgeBody parsed;
  int chosen = 0;
  for (const auto& member : *object) {
    const std::string_view name = view(member.key());
    const json::value& value = member.value();
    if (name == "user") {
      if (!value.is_string()) return bad_field(name, "a user's name");
      parsed.user = std::string(view(value.get_string()));
      ++chosen;
    } else if (name == "idle") {
      const auto idle = read_duration(name, value);
      if (!idle) return idle.error();
      if (*idle == Millis(0))
        return bad_field(name, "more than nothing; to purge each session say all");
      parsed.idle = *idle;
      ++chosen;
    } else if (name == "all") {
      if (!value.is_bool() || !value.get_bool()) return bad_field(name, "true");
      ++chosen;
    } else if (name == "dryRun") {
      if (!value.is_bool()) return bad_field(name, "true or false");
      parsed.dry_run = value.get_bool();
    } else {
      return unknown_field(name);
    }
  }
  if (chosen != 1) {
    return Error{ErrorKind::kInvalid, "cannot purge: say exactly one of user, idle and all"};
  }
  return parsed;
}

Result<RuleBody> parse_limit_body(std::string_view body) {
  const auto object = parse_object(body);
  if (!object) return object.error();
  RuleBody parsed;
  for (const auto& member : *object) {
    if (const auto read = read_rule_field(view(member.key()), member.value(), parsed); !read) {
      return read.error();
    }
  }
  if (!parsed.limit && !parsed.plan && !parsed.on_limit) {
    return Error{ErrorKind::kInvalid, "cannot set a limit: say limit, plan or onLimit"};
  }
  return parsed;
}

Result<RuleBody> parse_plan_body(std::string_view body) {
  auto parsed = parse_limit_body(body);
  if (!parsed) return parsed.error();
  if (parsed->plan) return unknown_field("plan");
  if (parsed->limit && !*parsed->limit) {
    return bad_field("limit", text::format("a whole number from 0 (no limit) to {}", kMaxLimit));
  }
  return parsed;
}

}  // namespace concur
