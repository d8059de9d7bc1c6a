#include "status_text.hpp"

#include "answer_values.hpp"
#include "base/human.hpp"
#include "base/text.hpp"
#include "fleet_text.hpp"
#include "text_table.hpp"

#include <utility>

namespace concur::cli {

namespace {

namespace json = boost::json;

std::string limit_text(std::uint64_t limit) {
  return limit == 0 ? "unlimited" : text::format("{} streams a user", limit);
}

std::string rates_text(const json::object& rates, const char* name) {
  const auto* rate = object_of(rates, name);
  if (rate == nullptr) return "-";
  return text::format("{:.2f} a second, {} in all", number_of(*rate, "perSecond"),
                      count_of(*rate, "total"));
}

// Two columns without titles.
class Subjects {
 public:
  void add(const char* name, std::string text, Ink ink = Ink::kPlain) {
    names_.cells.emplace_back(name);
    texts_.cells.push_back(std::move(text));
    texts_.inks.push_back(ink);
  }

  std::string take_text(const Terminal& terminal) {
    TextTable table;
    table.add(std::move(names_));
    table.add(std::move(texts_));
    return table.text(terminal);
  }

 private:
  TextColumn names_{"", TextColumn::Kind::kWord};
  TextColumn texts_{"", TextColumn::Kind::kName};
};

void add_policy(const json::object& status, Subjects& subjects) {
  const auto lease = Millis(static_cast<Millis::rep>(number_of(status, "lease") * 1000));
  subjects.add("limit", text::format("{}, on limit {}", limit_text(count_of(status, "limit")),
                                     text_of(status, "onLimit").value_or("-")));
  subjects.add("lease", human_duration(lease));
  subjects.add("mode", text_of(status, "mode").value_or("-"));
}

void add_database(const json::object& database, Subjects& subjects) {
  subjects.add("database", text_of(database, "path").value_or("-"));
  subjects.add("size", text::format("{}, its log {}", human_bytes(count_of(database, "bytes")),
                                    human_bytes(count_of(database, "walBytes"))));
  subjects.add("commits", text::format("{}", count_of(database, "commits")));
}

}  // namespace

std::optional<std::string> status_text(std::string_view answer, const Terminal& terminal) {
  const auto status = read_object(answer);
  if (!status) return std::nullopt;
  const auto version = text_of(*status, "version");
  const auto health = text_of(*status, "health");
  const auto started = time_of(*status, "startedAt");
  if (!version || !health || !started) return std::nullopt;

  Subjects subjects;
  subjects.add("version", text::format("{}, process {}", *version, count_of(*status, "pid")));
  const auto trouble = text_of(*status, "trouble");
  subjects.add("health", trouble ? text::format("{}: {}", *health, *trouble) : *health,
               *health == "ok" ? Ink::kPlain : Ink::kRed);
  const auto uptime = Millis(static_cast<Millis::rep>(count_of(*status, "uptime")) * 1000);
  subjects.add("uptime",
               text::format("{}, since {}", human_duration(uptime), human_minute(*started)));
  subjects.add("sessions", text::format("{}", count_of(*status, "sessions")));
  subjects.add("users", text::format("{}", count_of(*status, "users")));
  subjects.add("connections", text::format("{}", count_of(*status, "connections")));
  if (const auto waiting = count_of(*status, "waiting"); waiting > 0) {
    subjects.add("waiting", text::format("{} for room", waiting));
  }
  add_policy(*status, subjects);
  if (const auto* rates = object_of(*status, "rates")) {
    for (const char* name : {"starts", "denials", "heartbeats", "ends"}) {
      subjects.add(name, rates_text(*rates, name));
    }
  }
  if (const auto* database = object_of(*status, "database")) add_database(*database, subjects);
  if (const auto* fleet = object_of(*status, "fleet")) {
    const Ink ink = text_of(*fleet, "state") == "ok" ? Ink::kPlain : Ink::kRed;
    for (auto& [subject, text] : fleet_lines(*fleet)) subjects.add(subject, std::move(text), ink);
  }
  return subjects.take_text(terminal);
}

}  // namespace concur::cli
