#include "page.hpp"

#include "answer_values.hpp"
#include "base/json_text.hpp"

#include <algorithm>
#include <utility>

namespace concur::cli {

namespace {

namespace json = boost::json;

// What follows `"key":value` in an object that goes on.
void append_member(std::string& out, std::string_view key, const json::value& value) {
  append_json_string(out, key);
  out += ':';
  append_json(out, value);
}

// The text that stands for `next` in the next request. It is the daemon's own to choose, a text or
// a number; null says that there is none.
std::optional<std::string> next_of(const json::value& value) {
  if (value.is_null()) return std::string();
  if (value.is_string()) return std::string(value.get_string());
  if (!value.is_number()) return std::nullopt;
  std::string text;
  append_json(text, value);
  return text;
}

}  // namespace

std::optional<Page> read_page(std::string_view text, std::string_view list) {
  auto answer = read_object(text);
  if (!answer) return std::nullopt;
  Page page;
  bool has_list = false;
  for (auto& [key, value] : *answer) {
    if (key == list) {
      if (!value.is_array()) return std::nullopt;
      page.entries = std::move(value.get_array());
      has_list = true;
    } else if (key == "next") {
      auto next = next_of(value);
      if (!next) return std::nullopt;
      page.next = std::move(*next);
    } else {
      page.members.emplace(key, std::move(value));
    }
  }
  const auto is_object = [](const json::value& entry) { return entry.is_object(); };
  if (!has_list || !std::ranges::all_of(page.entries, is_object)) return std::nullopt;
  return page;
}

std::string PageDocument::text_of(const Page& page) {
  std::string out;
  if (!std::exchange(started_, true)) {
    out += '{';
    for (const auto& [key, value] : page.members) {
      append_member(out, key, value);
      out += ',';
    }
    append_json_string(out, list_);
    out += ":[";
  }
  for (const json::value& entry : page.entries) {
    if (std::exchange(has_entries_, true)) out += ',';
    append_json(out, entry);
  }
  if (page.next.empty()) out += "]}\n";
  return out;
}

std::string lines_of(const Page& page) {
  std::string out;
  const json::value* user = page.members.if_contains("user");
  for (const json::value& entry : page.entries) {
    if (user == nullptr) {
      append_json(out, entry);
    } else {
      json::object named{{"user", *user}};
      named.insert(entry.get_object().begin(), entry.get_object().end());
      append_json(out, named);
    }
    out += '\n';
  }
  return out;
}

}  // namespace concur::cli
