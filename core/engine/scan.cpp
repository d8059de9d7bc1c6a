#include "engine/scan.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace concur::engine {

namespace {

// Takes the next word from the front.
std::string_view take_word(std::string_view& line) {
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(std::min(line.size(), word.size() + 1));
  return word;
}

// "93", "0-5460".
std::size_t count_slots(std::string_view range) {
  unsigned first = 0;
  const char* const end = range.data() + range.size();
  const auto [rest, failed] = std::from_chars(range.data(), end, first);
  if (failed != std::errc() || first >= kSlots) return 0;
  if (rest == end) return 1;
  unsigned last = 0;
  const auto [over, failed_too] = std::from_chars(rest + 1, end, last);
  const bool is_range = *rest == '-' && failed_too == std::errc() && over == end;
  return is_range && last < kSlots && first <= last ? last - first + 1 : 0;
}

KeysOutcome begun_anew(const WalkPosition& next) {
  KeysOutcome outcome;
  outcome.available = true;
  outcome.anew = true;
  outcome.next = next;
  return outcome;
}

}  // namespace

// <id> <address> <flags> <primary> <ping> <pong> <epoch> <link> <slot or range>… [<slot>->-<id>]…
std::optional<Standing> parse_standing(std::string_view nodes) {
  while (!nodes.empty()) {
    std::string_view line = nodes.substr(0, nodes.find('\n'));
    nodes.remove_prefix(std::min(nodes.size(), line.size() + 1));
    Standing standing;
    standing.said = take_word(line);
    take_word(line);
    const std::string_view flags = take_word(line);
    if (flags.find("myself") == std::string_view::npos) continue;
    standing.is_primary = flags.find("master") != std::string_view::npos;
    for (int i = 0; i < 3; ++i) take_word(line);
    const std::string_view epoch = take_word(line);
    take_word(line);
    text::append(standing.said, " {} {} {}", flags, epoch, line);
    while (!line.empty()) {
      const std::string_view slots = take_word(line);
      standing.is_moving |= slots.starts_with('[');
      standing.slots += count_slots(slots);
    }
    return standing;
  }
  return std::nullopt;
}

Scan::Scan(const Clock& clock, Route route) : clock_(clock), route_(std::move(route)) {}

void Scan::forget() {
  generation_ = 0;
  layout_ = {};
}

// Unlike those of the program that ran before.
std::uint64_t Scan::make_generation() {
  const auto now = static_cast<std::uint64_t>(clock_.now().wall().time_since_epoch().count());
  last_generation_ = std::max({last_generation_, now, WalkPosition::kBySlots}) + 1;
  return last_generation_;
}

// --- what the primaries say is theirs ---

struct Scan::Look {
  Callback<void(Layout&&), 56> done;
  std::vector<std::pair<std::string, Slot>> said;
  std::string failure;
  std::size_t waiting = 0;
  std::size_t slots = 0;
  bool is_still = true;

  void take(Slot slot, Result<std::string>&& nodes) {
    const auto standing = nodes ? parse_standing(*nodes) : std::nullopt;
    if (!nodes) failure = nodes.error().message;
    is_still &= standing && standing->is_primary && !standing->is_moving;
    if (standing) slots += standing->slots;
    if (standing) said.emplace_back(standing->said, slot);
    if (--waiting > 0) return;
    Layout layout;
    std::ranges::sort(said);
    layout.failure = failure;
    for (auto& [each, its_slot] : said) {
      if (!is_still || slots != kSlots) break;
      layout.said.push_back(std::move(each));
      layout.slots.push_back(its_slot);
    }
    std::exchange(done, {})(std::move(layout));
  }
};

void Scan::look(const std::vector<Slot>& slots, Instant deadline,
                Callback<void(Layout&&), 56> done) {
  if (slots.empty()) return done({});
  auto looking = std::make_shared<Look>();
  looking->done = std::move(done);
  looking->waiting = slots.size();
  for (const Slot slot : slots) {
    route_(std::make_unique<NodesRequest>(
        slot, deadline,
        [looking, slot](Result<std::string>&& nodes) { looking->take(slot, std::move(nodes)); }));
  }
}

// --- of a cluster ---

void Scan::keys_of_cluster(const WalkPosition& from, std::vector<Slot> slots, Instant deadline,
                           OnKeys done) {
  if (from == WalkPosition()) return begin(std::move(slots), deadline, std::move(done));
  const bool known = from.generation == generation_ && from.server < layout_.slots.size();
  if (!known) return done(begun_anew(WalkPosition::by_slots()));
  scan(layout_.slots[from.server], from, deadline, std::move(done));
}

void Scan::begin(std::vector<Slot> slots, Instant deadline, OnKeys done) {
  auto shared = std::make_shared<OnKeys>(std::move(done));
  look(slots, deadline, [this, shared](Layout&& layout) {
    if (layout.said.empty()) return (*shared)(begun_anew(WalkPosition::by_slots()));
    if (generation_ == 0 || layout.said != layout_.said) generation_ = make_generation();
    layout_ = std::move(layout);
    (*shared)(begun_anew({0, generation_, 0}));
  });
}

void Scan::scan(Slot slot, const WalkPosition& from, Instant deadline, OnKeys done) {
  auto shared = std::make_shared<OnKeys>(std::move(done));
  auto answered = [this, from, deadline, shared](KeysOutcome&& outcome) {
    if (!outcome.available) return (*shared)(std::move(outcome));
    if (from.generation != generation_) {
      return (*shared)(begun_anew(WalkPosition::by_slots()));
    }
    if (outcome.next) {
      outcome.next = WalkPosition{outcome.next->at, from.generation, from.server};
    } else if (from.server + 1 < layout_.slots.size()) {
      outcome.next = WalkPosition{0, from.generation, from.server + 1};
    } else {
      return conclude(std::move(outcome), deadline, std::move(*shared));
    }
    (*shared)(std::move(outcome));
  };
  route_(std::make_unique<ScanRequest>(slot, from.at, deadline, std::move(answered)));
}

// Whether nothing was moved since the beginning.
void Scan::conclude(KeysOutcome&& last, Instant deadline, OnKeys done) {
  auto kept = std::make_shared<std::pair<KeysOutcome, OnKeys>>(std::move(last), std::move(done));
  look(layout_.slots, deadline, [this, kept, begun = generation_](Layout&& layout) {
    auto& [outcome, then] = *kept;
    if (!layout.failure.empty()) {
      outcome = KeysOutcome();
      outcome.cause = layout.failure;
    } else if (begun != generation_ || layout.said != layout_.said) {
      outcome = begun_anew(WalkPosition::by_slots());
    }
    then(std::move(outcome));
  });
}

// --- of one server ---

void Scan::keys_of_one(const WalkPosition& from, Instant deadline, OnKeys done) {
  if (generation_ == 0) generation_ = make_generation();
  const bool begins = from == WalkPosition();
  if (!begins && from.generation != generation_) return done(begun_anew({0, generation_, 0}));
  auto shared = std::make_shared<OnKeys>(std::move(done));
  auto answered = [this, begun = generation_, shared](KeysOutcome&& outcome) {
    if (outcome.available && begun != generation_) outcome = begun_anew({});
    if (outcome.next && !outcome.anew) outcome.next->generation = begun;
    (*shared)(std::move(outcome));
  };
  route_(std::make_unique<ScanRequest>(Slot{0}, from.at, deadline, std::move(answered)));
}

}  // namespace concur::engine
