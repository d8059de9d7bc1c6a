#include "engine/scripts.hpp"

#include "base/text.hpp"

#include <utility>

namespace concur::engine {

namespace {

// ARGV: not after (ms; 0: whenever), kind of expiry (as Expiry::Kind counts), its time (ms), how
// many fields must have a value, how many must not be there, how many are set, how many are taken
// away; then these, with their values. A script does not roll back: all that can be wrong is found
// before the first write. Fields are set three by three, as a start has them: a call costs more
// than a field, and unpack() fails on many. An expiry is written only when it falls below what it
// is to be, and to the double, so that few changes write one.
constexpr std::string_view kChangeBody = R"(
local key, call = KEYS[1], redis.call
local late, kind, kept = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local equal, absent = tonumber(ARGV[4]), tonumber(ARGV[5])
local set, gone = tonumber(ARGV[6]), tonumber(ARGV[7])
if #KEYS ~= 1 or not (late and kind and kept and equal and absent and set and gone)
    or equal < 0 or absent < 0 or set < 0 or gone < 0 or kept < 0 or kept > 4e15
    or (equal % 1) + (absent % 1) + (set % 1) + (gone % 1) + (kept % 1) ~= 0
    or #ARGV ~= 7 + 2 * equal + absent + 2 * set + gone then
  return redis.error_reply('ERR arguments are missing or wrong')
end
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if late > 0 and now > late then return {2, now} end
local at = 8
for i = 1, equal do
  if call('HGET', key, ARGV[at]) ~= ARGV[at + 1] then
    return {1, now, call('HGETALL', key)}
  end
  at = at + 2
end
for i = 1, absent do
  if call('HEXISTS', key, ARGV[at]) == 1 then
    return {1, now, call('HGETALL', key)}
  end
  at = at + 1
end
while set > 2 do
  call('HSET', key, ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5])
  at, set = at + 6, set - 3
end
for i = 1, set do
  call('HSET', key, ARGV[at], ARGV[at + 1])
  at = at + 2
end
for i = 1, gone do
  call('HDEL', key, ARGV[at])
  at = at + 1
end
if kind == 1 then
  call('PERSIST', key)
elseif kind > 1 then
  local left = call('PTTL', key)
  if left < kept and (left >= 0 or kind == 2) then call('PEXPIRE', key, 2 * kept) end
end
return {0, now}
)";

// ARGV: the fields; all where none are named.
constexpr std::string_view kReadBody = R"(
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if #ARGV == 0 then return {now, redis.call('HGETALL', KEYS[1])} end
local found = {}
for _, field in ipairs(ARGV) do
  local value = redis.call('HGET', KEYS[1], field)
  if value then
    found[#found + 1] = field
    found[#found + 1] = value
  end
end
return {now, found}
)";

constexpr std::size_t kNumbers = 7;  // in front of the fields
constexpr std::int64_t kMaxTime = 4'000'000'000'000'000;

void append_number(std::vector<std::string>& words, std::int64_t number) {
  words.emplace_back(text::Digits(number).view());
}

std::size_t count_with_value(const Fields& fields) {
  std::size_t count = 0;
  for (const Field& field : fields) count += field.value ? 1 : 0;
  return count;
}

// Those with a value first.
void append_fields(std::vector<std::string>& words, const Fields& fields) {
  for (const Field& field : fields) {
    if (!field.value) continue;
    words.push_back(field.name);
    words.push_back(*field.value);
  }
  for (const Field& field : fields) {
    if (!field.value) words.push_back(field.name);
  }
}

bool is_time(const Reply& reply) {
  return reply.is_integer() && reply.integer > 0 && reply.integer <= kMaxTime;
}

// Names and values in turn; their texts are taken.
std::optional<Fields> take_fields(Reply& reply) {
  if (!reply.is_array() || reply.elements.size() % 2 != 0) return std::nullopt;
  Fields fields;
  fields.reserve(reply.elements.size() / 2);
  for (std::size_t i = 0; i < reply.elements.size(); i += 2) {
    Reply& name = reply.elements[i];
    Reply& value = reply.elements[i + 1];
    if (!name.is_text() || !value.is_text()) return std::nullopt;
    fields.push_back({std::move(name.text), std::move(value.text)});
  }
  return fields;
}

}  // namespace

std::string_view source_of(Script script) {
  static const std::string kChange = text::format("#!lua{}", kChangeBody);
  static const std::string kChangeDespiteFull =
      text::format("#!lua flags=allow-oom{}", kChangeBody);
  static const std::string kRead = text::format("#!lua flags=no-writes{}", kReadBody);
  // Of what may write a replica says READONLY before it runs.
  static const std::string kReadAsPrimary = text::format("#!lua flags=allow-oom{}", kReadBody);
  switch (script) {
    case Script::kChange:
      return kChange;
    case Script::kChangeDespiteFull:
      return kChangeDespiteFull;
    case Script::kRead:
      return kRead;
    case Script::kReadAsPrimary:
      return kReadAsPrimary;
  }
  return {};
}

std::vector<std::string> arguments_of(const Change& change) {
  std::vector<std::string> words;
  words.reserve(kNumbers + 2 * (change.guards.size() + change.fields.size()));
  const std::size_t equal = count_with_value(change.guards);
  const std::size_t set = count_with_value(change.fields);
  append_number(words, change.not_after ? change.not_after->time_since_epoch().count() : 0);
  append_number(words, static_cast<std::int64_t>(change.expiry.kind));
  append_number(words, change.expiry.time.count());
  for (const std::size_t count :
       {equal, change.guards.size() - equal, set, change.fields.size() - set}) {
    append_number(words, static_cast<std::int64_t>(count));
  }
  append_fields(words, change.guards);
  append_fields(words, change.fields);
  return words;
}

// [0: applied, 1: a guard does not hold, 2: late; now; the hash where a guard does not hold]
std::optional<ChangeOutcome> parse_change(Reply& reply) {
  using Result = ChangeOutcome::Result;
  if (!reply.is_array() || reply.elements.size() < 2 || !reply.elements[0].is_integer() ||
      !is_time(reply.elements[1])) {
    return std::nullopt;
  }
  ChangeOutcome outcome;
  outcome.now = WallTime(Millis(reply.elements[1].integer));
  const std::int64_t code = reply.elements[0].integer;
  if (code == 1 && reply.elements.size() == 3) {
    auto fields = take_fields(reply.elements[2]);
    if (!fields) return std::nullopt;
    outcome.result = Result::kGuarded;
    outcome.fields = std::move(*fields);
  } else if ((code == 0 || code == 2) && reply.elements.size() == 2) {
    outcome.result = code == 0 ? Result::kApplied : Result::kLate;
  } else {
    return std::nullopt;
  }
  return outcome;
}

std::optional<ReadOutcome> parse_read(Reply& reply) {
  if (!reply.is_array() || reply.elements.size() != 2 || !is_time(reply.elements[0])) {
    return std::nullopt;
  }
  auto fields = take_fields(reply.elements[1]);
  if (!fields) return std::nullopt;
  return ReadOutcome{true, WallTime(Millis(reply.elements[0].integer)), std::move(*fields)};
}

}  // namespace concur::engine
