#include "fleet_text.hpp"

#include "answer_values.hpp"
#include "base/human.hpp"
#include "base/text.hpp"
#include "text_table.hpp"

#include <algorithm>

namespace concur::cli {

namespace {

namespace json = boost::json;

std::string word_or_dash(const json::object& members, std::string_view name) {
  return text_of(members, name).value_or("-");
}

bool is_true(const json::object& members, std::string_view name) {
  const json::value* value = members.if_contains(name);
  return value != nullptr && value->is_bool() && value->get_bool();
}

// The objects of an array; what is none is passed over.
std::vector<const json::object*> objects_of(const json::object& members, std::string_view name) {
  std::vector<const json::object*> objects;
  const auto* array = array_of(members, name);
  if (array == nullptr) return objects;
  for (const json::value& value : *array) {
    if (const auto* object = value.if_object()) objects.push_back(object);
  }
  return objects;
}

std::vector<std::string> texts_of(const json::object& members, std::string_view name) {
  std::vector<std::string> texts;
  const auto* array = array_of(members, name);
  if (array == nullptr) return texts;
  for (const json::value& value : *array) {
    if (value.is_string()) texts.push_back(printable(value.get_string()));
  }
  return texts;
}

std::string primary_text(const json::object& primary) {
  std::string out = word_or_dash(primary, "address");
  out += is_true(primary, "up") ? " up" : " down";
  if (const auto trouble = text_of(primary, "trouble")) text::append(out, ": {}", *trouble);
  if (is_true(primary, "shortOfReplicas")) out += ", no replica acknowledges";
  if (const auto* clock = object_of(primary, "clockOffset")) {
    const double offset = (number_of(*clock, "least") + number_of(*clock, "most")) / 2;
    text::append(out, ", clock {:+.3f} s", offset);
  }
  return out;
}

std::string box_text(const json::object& box) {
  std::string out =
      text::format("{}, version {}", word_or_dash(box, "box"), word_or_dash(box, "version"));
  if (const auto seen = time_of(box, "seenAt")) text::append(out, ", seen {}", human_minute(*seen));
  if (is_true(box, "differs")) out += ", differs from this one";
  return out;
}

template <class Column>
void add_column(TextTable& table, std::string_view title, TextColumn::Kind kind,
                const std::vector<const json::object*>& rows, const Column& cell_of) {
  TextColumn column{title, kind};
  for (const json::object* row : rows) column.cells.push_back(cell_of(*row));
  table.add(std::move(column));
}

std::string servers_text(const std::vector<const json::object*>& servers,
                         const Terminal& terminal) {
  using Kind = TextColumn::Kind;
  TextTable table;
  add_column(table, "SERVER", Kind::kName, servers,
             [](const json::object& server) { return word_or_dash(server, "address"); });
  add_column(table, "ROLE", Kind::kWord, servers,
             [](const json::object& server) { return word_or_dash(server, "role"); });
  add_column(table, "VERSION", Kind::kWord, servers,
             [](const json::object& server) { return word_or_dash(server, "version"); });
  if (std::ranges::any_of(servers, [](const auto* each) { return each->contains("trouble"); })) {
    add_column(table, "TROUBLE", Kind::kName, servers,
               [](const json::object& server) { return word_or_dash(server, "trouble"); });
  }
  return table.text(terminal);
}

void append_finding(std::string& out, const json::object& finding) {
  text::append(out, "\n{}: {}\n", word_or_dash(finding, "severity"), word_or_dash(finding, "what"));
  const auto where = texts_of(finding, "where");
  if (!where.empty()) text::append(out, "  at    {}\n", text::join(where, ", "));
  text::append(out, "  why   {}\n", word_or_dash(finding, "why"));
  for (const char* title = "mend"; const std::string& step : texts_of(finding, "mend")) {
    text::append(out, "  {:<4}  {}\n", title, step);
    title = "";
  }
}

std::string counted(const std::vector<const json::object*>& findings, std::string_view severity) {
  const auto count = std::ranges::count_if(findings, [severity](const json::object* each) {
    return text_of(*each, "severity") == severity;
  });
  return text::format("{} {}{}", count, severity, count == 1 ? "" : "s");
}

}  // namespace

SubjectLines fleet_lines(const json::object& fleet) {
  SubjectLines lines;
  const auto state = text_of(fleet, "state");
  if (!state) return lines;
  const auto primaries = objects_of(fleet, "primaries");
  const auto up = std::ranges::count_if(
      primaries, [](const json::object* primary) { return is_true(*primary, "up"); });
  const auto trouble = text_of(fleet, "trouble");
  lines.emplace_back("fleet",
                     text::format("{}, {} of {} primaries up{}{}", *state, up, primaries.size(),
                                  trouble ? ": " : "", trouble.value_or("")));
  lines.emplace_back("box", text::format("{}, of fleet {}", word_or_dash(fleet, "box"),
                                         word_or_dash(fleet, "name")));
  return lines;
}

std::optional<std::string> fleet_text(std::string_view answer, const Terminal& terminal) {
  const auto fleet = read_object(answer);
  if (!fleet) return std::nullopt;
  SubjectLines lines = fleet_lines(*fleet);
  if (lines.empty()) return std::nullopt;
  lines.emplace_back("ack", word_or_dash(*fleet, "ack"));
  lines.emplace_back("unavailable", word_or_dash(*fleet, "unavailable"));
  for (const json::object* primary : objects_of(*fleet, "primaries")) {
    lines.emplace_back("primary", primary_text(*primary));
  }
  for (const json::object* box : objects_of(*fleet, "others")) {
    lines.emplace_back("other box", box_text(*box));
  }
  if (const auto* requests = object_of(*fleet, "requests")) {
    lines.emplace_back("requests",
                       text::format("{} answered, {} not", count_of(*requests, "answered"),
                                    count_of(*requests, "late") + count_of(*requests, "full") +
                                        count_of(*requests, "unavailable")));
  }
  for (const auto& [subject, name] :
       {std::pair{"conflicts", "conflicts"}, std::pair{"unacknowledged", "unacknowledged"},
        std::pair{"reclaimed", "reclaimed"}}) {
    lines.emplace_back(subject, text::format("{}", count_of(*fleet, name)));
  }
  TextColumn subjects{"", TextColumn::Kind::kWord};
  TextColumn texts{"", TextColumn::Kind::kName};
  for (auto& [subject, text] : lines) {
    subjects.cells.emplace_back(subject);
    texts.cells.push_back(std::move(text));
  }
  TextTable table;
  table.add(std::move(subjects));
  table.add(std::move(texts));
  return table.text(terminal);
}

std::optional<std::string> fleet_check_text(std::string_view answer, const Terminal& terminal) {
  const auto check = read_object(answer);
  if (!check || array_of(*check, "findings") == nullptr) return std::nullopt;
  const auto findings = objects_of(*check, "findings");
  std::string out = servers_text(objects_of(*check, "servers"), terminal);
  for (const json::object* finding : findings) append_finding(out, *finding);
  text::append(out, "\n{}, {}, {}\n", counted(findings, "problem"), counted(findings, "warning"),
               counted(findings, "note"));
  return out;
}

}  // namespace concur::cli
