#include "api/batch_line.hpp"

#include "api/body_fields.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"

#include <boost/json/monotonic_resource.hpp>

#include <optional>

namespace concur {

namespace {

using namespace body;

std::optional<BatchCommand> command_of(std::string_view name) {
  if (name == "start") return BatchCommand::kStart;
  if (name == "heartbeat") return BatchCommand::kHeartbeat;
  if (name == "end") return BatchCommand::kEnd;
  if (name == "limit") return BatchCommand::kLimit;
  if (name == "plan") return BatchCommand::kPlan;
  if (name == "block") return BatchCommand::kBlock;
  if (name == "unblock") return BatchCommand::kUnblock;
  return std::nullopt;
}

Result<void> read_command(const json::object& object, std::uint64_t line, BatchLine& into) {
  const json::value* value = object.if_contains("command");
  const auto command =
      value != nullptr && value->is_string() ? command_of(view(value->get_string())) : std::nullopt;
  if (!command) {
    return unreadable(line, "its command is start, heartbeat, end, limit, plan, block or unblock");
  }
  into.command = *command;
  return {};
}

Result<void> read_whose(std::string_view name, const json::value& value, std::string& into) {
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
    case BatchCommand::kLimit:
    case BatchCommand::kPlan:
    case BatchCommand::kBlock:
    case BatchCommand::kUnblock:
      break;
  }
  return false;
}

Result<void> read_operators_field(std::string_view name, const json::value& value,
                                  BatchLine& into) {
  if (into.command == BatchCommand::kLimit) return read_rule_field(name, value, into.rule);
  if (into.command == BatchCommand::kBlock) return read_block_field(name, value, into.block);
  if (into.command != BatchCommand::kPlan) return unknown_field(name);
  if (name == "plan") return read_whose(name, value, into.plan);
  return read_rule_field(name, value, into.rule);
}

Result<void> read_batch_field(std::string_view name, const json::value& value, BatchLine& into) {
  if (name == "command") return {};
  if (name == "user" && into.command != BatchCommand::kPlan) {
    return read_whose(name, value, into.user);
  }
  if (is_for_operators(into.command)) return read_operators_field(name, value, into);
  if (name == "session") return read_whose(name, value, into.session);
  if (name == "message" && into.command == BatchCommand::kEnd) {
    return keep(read_message(name, value), into.message);
  }
  if (!into.body) into.body.emplace();
  auto read = read_start_field(name, value, *into.body);
  if (read && into.body->wait) {
    return Error{
        ErrorKind::kInvalid,
        "cannot accept field 'wait': it is not for batches, whose commands are answered in "
        "order"};
  }
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
  if (!known || !rest.empty() || is_for_operators(*known)) return false;
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
  if (!into.message.empty()) into.message.clear();
  if (read_plain_line(line, into)) return {};
  into.user.clear();
  into.session.clear();
  into.plan.clear();
  into.rule = {};
  into.block = {};
  unsigned char room[4096];
  json::monotonic_resource memory(room, sizeof room);
  const auto object = parse_object(line, number, &memory);
  if (!object) return object.error();
  if (auto read = read_command(*object, number, into); !read) return read;
  for (const auto& member : *object) {
    if (auto read = read_batch_field(view(member.key()), member.value(), into); !read) return read;
  }
  if (into.command == BatchCommand::kLimit) return check_limit(into.rule);
  if (into.command == BatchCommand::kPlan) return check_plan(into.rule);
  return into.body ? check_start(*into.body) : Result<void>();
}

}  // namespace concur
