#include "page.hpp"

#include <optional>

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

bool read_sessions(Scanner& in, std::vector<std::string_view>& sessions) {
  if (!in.take('[')) return false;
  if (in.take(']')) return true;
  do {
    const auto session = in.value();
    if (!session || session->front() != '{') return false;
    sessions.push_back(*session);
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

bool read_members(Scanner& in, Page& page) {
  bool has_sessions = false;
  do {
    in.at_end();
    const std::size_t start = in.at();
    const auto key = in.value();
    if (!key || key->front() != '"' || !in.take(':')) return false;
    if (*key == R"("sessions")") {
      if (!read_sessions(in, page.sessions)) return false;
      has_sessions = true;
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
  return has_sessions;
}

}  // namespace

Result<Page> read_page(std::string_view text) {
  Page page;
  Scanner in(text);
  if (!in.take('{') || !read_members(in, page) || !in.take('}') || !in.at_end()) {
    return Error{ErrorKind::kCorrupt, "cannot list: the answer is not a list of sessions"};
  }
  return page;
}

}  // namespace concur::cli
