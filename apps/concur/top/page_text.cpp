#include "top/page_text.hpp"

#include "base/duration.hpp"
#include "base/human.hpp"
#include "base/text.hpp"
#include "terminal.hpp"

#include <algorithm>
#include <utility>

namespace concur::cli {

namespace {

using Kind = TextColumn::Kind;
using Style = PageLine::Style;

constexpr std::size_t kMinDenials = 4;   // lines that sharers leave to them, where there are any
constexpr std::size_t kMinForBoth = 11;  // lines that denials need to be shown at all

// `21:30:05`, of one day in UTC.
std::string clock_time(WallTime at) { return format_utc(at).substr(11, 8); }

// Fewer digits the more there is, so that columns do not jump.
std::string rate_text(double rate) { return text::format("{:.{}f}", rate, rate < 99.95 ? 1 : 0); }

class Page {
 public:
  explicit Page(const PageSize& size) : size_(size) {}

  void add(std::string_view text, Style style = Style::kPlain) {
    if (lines_.size() < size_.rows) lines_.push_back({shortened(text, size_.columns), style});
  }

  // The first line is the titles.
  void add(const TextTable& table) {
    const std::string text = table.text({size_.columns, false, size_.blocks});
    Style style = Style::kTitle;
    for (std::string_view rest = text; !rest.empty(); style = Style::kPlain) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      add(line, style);
      rest.remove_prefix(line.size() + 1);
    }
  }

  std::size_t left() const { return size_.rows - std::min(size_.rows, lines_.size()); }
  std::vector<PageLine> take() { return std::move(lines_); }

 private:
  PageSize size_;
  std::vector<PageLine> lines_;
};

void add_head(Page& page, const Snapshot& now, const PageSize& size, Millis interval) {
  std::string head = "concurrencyd";
  if (!now.no_answer.empty()) {
    head += text::format(" {}  no answer", now.version);
  } else if (now.known) {
    head +=
        text::format(" {}  up {}  health {}", now.version, human_duration(now.uptime), now.health);
  }
  const std::string tail =
      text::format("{} UTC  every {}  q quits", clock_time(now.taken), format_duration(interval));
  const std::size_t used = columns_of(head) + columns_of(tail);
  if (used + 2 <= size.columns) head.append(size.columns - used, ' ').append(tail);
  page.add(head, Style::kTitle);
  page.add(text::format("sessions {}  users {}  connections {}  database {}  its log {}",
                        now.sessions, now.users, now.connections, human_bytes(now.database_bytes),
                        human_bytes(now.log_bytes)));
  page.add(text::format("limit {}  on limit {}  lease {}  mode {}",
                        now.limit == 0 ? "none" : text::format("{}", now.limit), now.on_limit,
                        human_duration(now.lease), now.mode));
  if (!now.no_answer.empty()) {
    page.add("no answer: " + now.no_answer, Style::kAlarm);
  } else if (now.known && now.health != "ok") {
    page.add("health: " + now.health, Style::kAlarm);
  } else {
    page.add("");
  }
}

void add_rates(Page& page, const Snapshot& now) {
  TextTable table;
  table.add({"A SECOND", Kind::kWord, {"now", "last minute"}});
  constexpr std::array<const char*, 4> kTitles{"STARTS", "DENIALS", "HEARTBEATS", "ENDS"};
  for (std::size_t i = 0; i < kTitles.size(); ++i) {
    const LiveRate& rate = now.rates[i];
    table.add({kTitles[i], Kind::kNumber, {rate_text(rate.now), rate_text(rate.last_minute)}});
  }
  page.add(table);
}

void add_sharers(Page& page, const Snapshot& now, std::size_t rows) {
  page.add("");
  page.add(now.no_sharers.empty() ? "Who shares, in the last hour:"
                                  : "Who shares is not shown: " + now.no_sharers);
  if (now.sharers.empty()) return;
  std::vector<Usage> usages;
  TextColumn active{"NOW", Kind::kNumber};
  for (const Sharer& sharer : now.sharers) {
    if (usages.size() == rows) break;
    usages.push_back(sharer.usage);
    active.cells.push_back(sharer.active ? text::format("{}", *sharer.active) : "-");
  }
  TextTable table;
  add_ranked_users(table, usages);
  table.add(std::move(active));
  add_figures(table, usages);
  page.add(table);
}

void add_denials(Page& page, const Snapshot& now) {
  page.add("");
  page.add(now.no_denials.empty() ? "The newest denials:"
                                  : "The newest denials are not shown: " + now.no_denials);
  if (now.denials.empty()) return;
  TextColumn at{"AT (UTC)", Kind::kWord};
  TextColumn user{"USER", Kind::kName};
  TextColumn session{"SESSION", Kind::kName};
  TextColumn active{"ACTIVE", Kind::kNumber};
  TextColumn limit{"LIMIT", Kind::kNumber};
  for (const Denial& denial : now.denials) {
    if (at.cells.size() + 1 >= page.left()) break;
    at.cells.push_back(clock_time(denial.at));
    user.cells.push_back(denial.user);
    session.cells.push_back(denial.session);
    active.cells.push_back(text::format("{}", denial.active));
    limit.cells.push_back(text::format("{}", denial.limit));
  }
  TextTable table;
  for (TextColumn* column : {&at, &user, &session, &active, &limit}) table.add(std::move(*column));
  page.add(table);
}

}  // namespace

std::vector<PageLine> page_of(const Snapshot& snapshot, const PageSize& size, Millis interval) {
  Page page(size);
  add_head(page, snapshot, size, interval);
  if (!snapshot.known) return page.take();
  add_rates(page, snapshot);
  const bool has_room = page.left() >= kMinForBoth;
  // Each block has a blank line, a heading and titles.
  const std::size_t taken = has_room ? 6 + std::min(kMinDenials, snapshot.denials.size()) : 3;
  add_sharers(page, snapshot, page.left() - std::min(page.left(), taken));
  if (has_room) add_denials(page, snapshot);
  return page.take();
}

std::string summary_of(const Snapshot& snapshot) {
  std::string out = format_utc(snapshot.taken);
  if (!snapshot.no_answer.empty()) return out + " no answer: " + snapshot.no_answer + '\n';
  out += text::format(" sessions {} users {} connections {}", snapshot.sessions, snapshot.users,
                      snapshot.connections);
  for (const LiveRate& rate : snapshot.rates) {
    out += text::format(" {}/s {}", rate.name, rate_text(rate.now));
  }
  return out + text::format(" health {}\n", snapshot.health);
}

}  // namespace concur::cli
