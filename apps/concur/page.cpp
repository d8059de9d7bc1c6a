#include "page.hpp"

namespace concur::cli {

namespace {

// Finds where values begin and end. What is inside them is checked only as far as that takes: it is
// passed on, not used.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::size_t at() const { return at_; }
  std::string_view since(std::size_t start) const { return text_.substr(start, at_ - start); }

  bool at_end() {
    skip_space();
    return at_ == text_.size();
  }

  bool take(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  // The bytes of the next value; nothing where there is none.
  std::optional<std::string_view> value() {
    skip_space();
    const std::size_t start = at_;
    std::size_t depth = 0;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"') {
        if (!skip_string()) return std::nullopt;
      } else if (c == '{' || c == '[') {
        ++depth;
        continue;
      } else if (c == '}' || c == ']') {
        if (depth == 0) break;
        --depth;
      } else if (depth == 0 && c != ',' && c != ':' && !is_space(c)) {
        continue;
      }
      if (depth > 0) continue;
      if (c == '"' || c == '}' || c == ']') ++at_;
      break;
    }
    if (depth > 0 || at_ == start) return std::nullopt;
    return since(start);
  }

 private:
  static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }

  // From a string's first quote to its last.
  bool skip_string() {
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"') return true;
      if (text_[at_] == '\\') ++at_;
    }
    return false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

bool read_entries(Scanner& in, std::vector<std::string_view>& entries) {
  if (!in.take('[')) return false;
  if (in.take(']')) return true;
  do {
    const auto entry = in.value();
    if (!entry || entry->front() != '{') return false;
    entries.push_back(*entry);
  } while (in.take(','));
  return in.take(']');
}

// The text that stands for `next` in the next request. It is the daemon's own to choose, a number
// or a plain string; false for any other value. null says that there is none.
bool read_next(std::string_view json, std::string& next) {
  if (json == "null") return true;
  const bool quoted = json.front() == '"';
  if (quoted) json = json.substr(1, json.size() - 2);
  next = json;
  return json.find_first_of(quoted ? "\\" : "{[\"") == std::string_view::npos;
}

bool read_members(Scanner& in, std::string_view array, Page& page) {
  bool has_array = false;
  do {
    in.at_end();
    const std::size_t start = in.at();
    const auto key = in.value();
    if (!key || key->front() != '"' || !in.take(':')) return false;
    if (key->substr(1, key->size() - 2) == array) {
      if (!read_entries(in, page.entries)) return false;
      has_array = true;
      continue;
    }
    const auto value = in.value();
    if (!value) return false;
    if (*key == R"("next")") {
      if (!read_next(*value, page.next)) return false;
      continue;
    }
    if (*key == R"("user")") page.user = *value;
    page.members.push_back(in.since(start));
  } while (in.take(','));
  return has_array;
}

}  // namespace

std::optional<Page> read_page(std::string_view text, std::string_view array) {
  Page page;
  Scanner in(text);
  if (!in.take('{') || !read_members(in, array, page) || !in.take('}') || !in.at_end()) {
    return std::nullopt;
  }
  return page;
}

std::string_view member_of(std::string_view object, std::string_view key) {
  Scanner in(object);
  if (!in.take('{')) return {};
  do {
    const auto name = in.value();
    if (!name || name->front() != '"' || !in.take(':')) return {};
    const auto value = in.value();
    if (!value) return {};
    if (name->substr(1, name->size() - 2) == key) return *value;
  } while (in.take(','));
  return {};
}

}  // namespace concur::cli
