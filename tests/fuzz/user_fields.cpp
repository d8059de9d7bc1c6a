// A user's fields as anybody may have written them: what is read is valid, a judge can decide by
// it, and what comes of that is written so that the same is read again, while what was not read
// stays as it is.
//
// An input is a line a field, its name and its value with a '=' between them. The first line says
// what is asked: a letter for each command.
#include "fleet/user_fields.hpp"
#include "session/judge.hpp"

#include "support/claim.hpp"
#include "support/fuzz_target.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

using namespace concur;
using fuzz::claim;

namespace {

const Instant kNow{Millis(1'795'449'600'000)};
constexpr std::string_view kUser = "u";
constexpr std::size_t kMostCommands = 8;
constexpr std::int64_t kFirstStart = std::int64_t{1} << 46;

std::string_view cut(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return part;
}

UserFields fields_of(std::string_view text) {
  UserFields fields;
  while (!text.empty()) {
    std::string_view value = cut(text, '\n');
    const std::string_view name = cut(value, '=');
    fields.push_back({std::string(name), std::string(value)});
  }
  sort_fields(fields);
  return fields;
}

void check_valid(const UserState& state) {
  std::vector<std::string> names;
  for (const auto& [row, box, row_rest, lease_rest] : state.sessions) {
    claim(Id::parse("session", row.session).has_value(), "a session has a name");
    claim(row.id > 0 && row.ttl >= kMinLease && row.ttl <= kMaxLease, "a number and a lease");
    // Boxes know the engine's clock to a round trip or two.
    claim(row.expires <= kNow + row.ttl + Millis(1000), "which is no longer than it was given");
    names.push_back(row.session);
  }
  claim(std::ranges::is_sorted(state.sessions, {}, [](const auto& each) { return each.row.id; }),
        "the oldest comes first");
  for (const UserState::Gone& each : state.gone) {
    claim(Id::parse("session", each.row.session).has_value(), "so has whoever is gone");
    claim(each.row.at <= kNow, "since some time");
    claim((each.row.reason == EndReason::kEvicted) == (each.row.by != nullptr),
          "by somebody where it was evicted");
    names.push_back(each.row.session);
  }
  std::ranges::sort(names);
  claim(std::ranges::adjacent_find(names) == names.end(), "each name is there once");
  for (const HoldOffRow& each : state.marks) claim(each.since <= kNow, "a mark began");
  for (const auto& each : state.replaced) claim(each.since <= kNow, "a name was replaced");
  claim(
      !state.starts_due || *state.starts_due <= (kNow + std::chrono::minutes(1)).time_since_epoch(),
      "a start is on time within a minute");
  claim(!state.rule.limit || *state.rule.limit <= kMaxLimit, "a limit is one");
  claim(!state.block || state.block->since <= kNow, "nobody is kept out from later on");
  claim(!state.block || !state.block->length || *state.block->length <= kMaxBlock,
        "a block is within its bounds");
}

Command command_of(char letter, std::string_view session) {
  const Id user = *Id::parse("user", kUser);
  const Id name = *Id::parse("session", session);
  switch (letter % 5) {
    case 0:
      return Heartbeat{user, name};
    case 1:
      return End{user, name};
    case 2:
      return Purge{user, Millis(0)};
    case 3: {
      Start start{user, name};
      start.on_limit = OnLimit::kEvictOldest;
      start.details.device = "tv";
      return start;
    }
    default:
      return SetLimit{user, std::optional<std::uint32_t>(2)};
  }
}

std::vector<std::pair<std::string, Instant>> leases_of(const UserState& state) {
  std::vector<std::pair<std::string, Instant>> leases;
  for (const auto& each : state.sessions) leases.emplace_back(each.row.session, each.row.expires);
  std::ranges::sort(leases);
  return leases;
}

UserState decide(UserState&& state, std::string_view commands) {
  static Judge judge(Policy(), 1, 2);
  std::vector<std::string> names{"new"};
  for (const auto& each : state.sessions) names.push_back(each.row.session);
  judge.open(std::move(state), {kNow, {}, {}, {}});
  std::int64_t start = kFirstStart;
  for (std::size_t i = 0; i < std::min(commands.size(), kMostCommands); ++i) {
    judge.apply(command_of(commands[i], names[i % names.size()]), start += 16);
  }
  judge.expire();
  UserState after = judge.close();
  judge.take_events();
  judge.take_notes();
  return after;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view commands = cut(text, '\n');
  const UserFields fields = fields_of(text);
  ReadUser read = read_user(kUser, fields, kNow);
  check_valid(read.state);
  const ReadUser known = read_user(kUser, fields, kNow);
  claim(leases_of(known.state) == leases_of(read.state), "the same is read twice");
  const UserState after = decide(std::move(read.state), commands);
  UserFields changed = fields;
  apply_change(changed, difference(fields, write_user(after), known));
  claim(std::ranges::is_sorted(changed, {}, &engine::Field::name), "fields stay in their order");
  const ReadUser again = read_user(kUser, changed, kNow);
  check_valid(again.state);
  claim(leases_of(again.state) == leases_of(after), "what is written is read");
  claim(again.version == known.version, "with the version, which others write");
  for (const std::string& name : known.unread) {
    const std::string* const value = value_of(changed, name);
    const UserFields written = write_user(after);
    claim(value == nullptr
              ? name.starts_with('s')
              : *value == *value_of(fields, name) || value_of(written, name) != nullptr,
          "what was not read stays as it is, unless another takes its place");
  }
  const std::string user = user_of_key("f:", text.substr(0, text.find('\n')));
  claim(user.empty() || user_key("f:", user) == text.substr(0, text.find('\n')),
        "a user's key is that of no other");
  return 0;
}
