#include "rules/rule_text.hpp"

#include "base/text.hpp"
#include "base/utf8.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace concur {

namespace {

constexpr std::size_t kMaxWordBytes = 256;

// A rule's text, word by word: words, texts in quotes, and the signs = != and ,
class Words {
 public:
  enum class Kind : std::uint8_t { kEnd, kWord, kSign };
  struct Word {
    Kind kind = Kind::kEnd;
    std::string text{};
    bool is_quoted = false;
    bool ends_in_star = false;  // which is then no part of the text
  };

  explicit Words(std::string_view text) : rest_(text) {}

  // What comes next; kInvalid where that cannot be read.
  Result<void> advance() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t"), rest_.size()));
    next_ = {};
    if (rest_.empty()) return {};
    if (rest_.front() == '"') return read_quoted();
    if (rest_.front() == ',' || rest_.front() == '=' || rest_.starts_with("!=")) {
      next_ = {Kind::kSign, std::string(rest_.substr(0, rest_.front() == '!' ? 2 : 1))};
      rest_.remove_prefix(next_.text.size());
      return {};
    }
    const std::size_t end = std::min(rest_.find_first_of(" \t,=!\""), rest_.size());
    if (end == 0) return bad("a '!' stands before a '=' only");
    next_ = {Kind::kWord, std::string(rest_.substr(0, end))};
    rest_.remove_prefix(end);
    if (next_.text.size() > 1 && next_.text.back() == '*') take_star();
    return check();
  }

  const Word& next() const { return next_; }
  bool is(std::string_view word) const { return !next_.is_quoted && next_.text == word; }
  bool is_sign(std::string_view sign) const {
    return next_.kind == Kind::kSign && next_.text == sign;
  }
  bool at_end() const { return next_.kind == Kind::kEnd; }
  // Of a word that may stand in quotes.
  bool is_name() const {
    return next_.kind == Kind::kWord && !next_.text.empty() && !next_.ends_in_star;
  }

  Error expected(std::string_view what) const {
    if (at_end()) return bad(text::format("it takes {} at its end", what));
    return bad(text::format("it takes {} where it has '{}{}'", what, next_.text,
                            next_.ends_in_star ? "*" : ""));
  }
  static Error bad(std::string cause) { return {ErrorKind::kInvalid, std::move(cause)}; }

 private:
  Result<void> read_quoted() {
    next_ = {Kind::kWord, {}, true};
    std::size_t at = 1;
    bool escaped = false;
    for (; at < rest_.size() && (escaped || rest_[at] != '"'); ++at) {
      const bool escapes = !escaped && rest_[at] == '\\';
      if (!escapes) next_.text += rest_[at];
      if (!escapes) next_.ends_in_star = !escaped && rest_[at] == '*';
      escaped = escapes;
    }
    if (at == rest_.size()) return bad("a quote is not closed");
    rest_.remove_prefix(at + 1);
    if (next_.ends_in_star) next_.text.pop_back();
    if (next_.text.empty()) return bad("there is nothing in the quotes");
    return check();
  }

  void take_star() {
    next_.text.pop_back();
    next_.ends_in_star = true;
  }

  Result<void> check() const {
    if (next_.text.size() > kMaxWordBytes) {
      return bad(text::format("a word is longer than {} bytes", kMaxWordBytes));
    }
    if (!is_utf8(next_.text) || has_control(next_.text)) {
      return bad("it takes UTF-8 without control characters");
    }
    return {};
  }

  std::string_view rest_;
  Word next_;
};

Result<std::uint32_t> read_number(Words& words, std::uint32_t least) {
  std::uint32_t number = 0;
  const std::string text = words.next().text;
  const char* const end = text.data() + text.size();
  const auto [rest, failed] = std::from_chars(text.data(), end, number);
  const bool read = !words.next().is_quoted && !text.empty() && failed == std::errc() &&
                    rest == end && number >= least && number <= kMaxLimit;
  if (!read) return words.expected(text::format("a whole number from {} to {}", least, kMaxLimit));
  if (auto done = words.advance(); !done) return done.error();
  return number;
}

Result<Attribute> read_attribute(Words& words) {
  if (!words.is_name()) return words.expected("an attribute");
  Attribute attribute = attribute_of(words.next().text);
  if (auto done = words.advance(); !done) return done.error();
  return attribute;
}

Result<void> read_per(Words& words, Rule& into) {
  do {
    if (auto done = words.advance(); !done) return done.error();
    auto attribute = read_attribute(words);
    if (!attribute) return attribute.error();
    if (std::ranges::find(into.per, *attribute) != into.per.end()) {
      return Words::bad(text::format("'per' has {} twice", name_of(*attribute)));
    }
    into.per.push_back(std::move(*attribute));
  } while (words.is_sign(","));
  return {};
}

Result<Term> read_term(Words& words) {
  auto attribute = read_attribute(words);
  if (!attribute) return attribute.error();
  Term term{std::move(*attribute), words.is_sign("!="), {}};
  if (!term.is_not && !words.is_sign("=")) {
    return words.expected(text::format("= or != behind {}", name_of(term.attribute)));
  }
  do {
    if (auto done = words.advance(); !done) return done.error();
    if (words.next().kind != Words::Kind::kWord) return words.expected("a value");
    term.values.push_back({words.next().text, words.next().ends_in_star});
    if (auto done = words.advance(); !done) return done.error();
  } while (words.is_sign(","));
  return term;
}

Result<void> read_where(Words& words, Rule& into) {
  do {
    if (auto done = words.advance(); !done) return done.error();
    auto term = read_term(words);
    if (!term) return term.error();
    into.where.push_back(std::move(*term));
  } while (words.is("and"));
  return {};
}

Result<void> read_on_limit(Words& words, Rule& into) {
  if (auto done = words.advance(); !done) return done.error();
  into.on_limit = on_limit_of(words.next().text);
  if (!into.on_limit) return words.expected("deny, evict-oldest or evict-newest");
  return words.advance();
}

// What is counted, behind its number.
Result<void> read_counted(Words& words, Rule& into) {
  if (words.is("sessions") || words.is("session")) return words.advance();
  if (!words.is("distinct")) return words.expected("'sessions' or 'distinct'");
  into.kind = Rule::Kind::kDistinct;
  if (auto done = words.advance(); !done) return done.error();
  auto attribute = read_attribute(words);
  if (!attribute) return attribute.error();
  into.distinct = std::move(*attribute);
  return {};
}

Result<void> read_what(Words& words, Rule& into) {
  if (words.is("forbid")) {
    into.kind = Rule::Kind::kForbid;
    return words.advance();
  }
  if (!words.is("max")) return words.expected("'max' or 'forbid'");
  if (auto done = words.advance(); !done) return done.error();
  if (words.is("0")) return Words::bad("a rule of 0 refuses all: write 'forbid'");
  const auto number = read_number(words, 1);
  if (!number) return number.error();
  into.max = *number;
  return read_counted(words, into);
}

// The parts behind that, each at most once.
Result<void> read_parts(Words& words, Rule& into) {
  while (!words.at_end()) {
    const bool may_be_counted = into.kind != Rule::Kind::kForbid;
    Result<void> done = words.expected(may_be_counted ? "'per', 'where', 'on-limit' or nothing"
                                                      : "'where' or nothing");
    if (may_be_counted && words.is("per") && into.per.empty()) {
      done = read_per(words, into);
    } else if (words.is("where") && into.where.empty()) {
      done = read_where(words, into);
    } else if (may_be_counted && words.is("on-limit") && !into.on_limit) {
      done = read_on_limit(words, into);
    }
    if (!done) return done.error();
  }
  return {};
}

bool needs_quotes(std::string_view text) {
  return text.empty() || text.find_first_of(" \t,=!\"\\*") != std::string_view::npos;
}

std::string quoted(std::string_view text, bool is_beginning) {
  if (!needs_quotes(text)) return text::format("{}{}", text, is_beginning ? "*" : "");
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\' || c == '*') out += '\\';
    out += c;
  }
  return out + (is_beginning ? "*\"" : "\"");
}

std::string name_as_written(const Attribute& attribute) {
  return concur::quoted(name_of(attribute), false);
}

template <class List, class ToText>
std::string joined(const List& list, std::string_view between, std::string_view before_last,
                   const ToText& to_text) {
  std::string text;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i > 0) text += i + 1 == list.size() ? before_last : between;
    text += to_text(list[i]);
  }
  return text;
}

std::string condition_of(const Term& term) {
  const auto value = [](const Term::Value& each) {
    return text::format("{}'{}'", each.is_beginning ? "something that begins with " : "",
                        each.text);
  };
  return text::format("{} is {}{}", name_of(term.attribute), term.is_not ? "given and not " : "",
                      joined(term.values, ", ", term.is_not ? " nor " : " or ", value));
}

std::string_view what_happens(const Rule& rule) {
  if (!rule.on_limit) return "a start beyond that is treated as one above the plain limit";
  switch (*rule.on_limit) {
    case OnLimit::kDeny:
      return "a start beyond that is denied";
    case OnLimit::kEvictOldest:
      return "a start beyond that ends the oldest of them";
    case OnLimit::kEvictNewest:
      return "a start beyond that ends the newest of them";
  }
  return {};
}

}  // namespace

bool is_rule_name(std::string_view name) {
  return !name.empty() && name.size() <= 32 && name != kLimitName &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

Result<Rule> parse_rule(std::string_view name, std::string_view text) {
  if (!is_rule_name(name)) {
    return Error{ErrorKind::kInvalid,
                 "a rule's name is of 1 to 32 letters a to z, digits and -, and not 'limit'"};
  }
  Rule rule;
  rule.name = name;
  Words words(text);
  if (auto done = words.advance(); !done) return done.error();
  if (auto done = read_what(words, rule); !done) return done.error();
  if (auto done = read_parts(words, rule); !done) return done.error();
  return rule;
}

std::string to_text(const Rule& rule) {
  std::string out = "forbid";
  if (rule.kind == Rule::Kind::kSessions) out = text::format("max {} sessions", rule.max);
  if (rule.kind == Rule::Kind::kDistinct) {
    out = text::format("max {} distinct {}", rule.max, name_as_written(rule.distinct));
  }
  if (!rule.per.empty()) out += " per " + joined(rule.per, ",", ",", name_as_written);
  const auto term = [](const Term& each) {
    return name_as_written(each.attribute) + (each.is_not ? "!=" : "=") +
           joined(each.values, ",", ",", [](const Term::Value& value) {
             return concur::quoted(value.text, value.is_beginning);
           });
  };
  if (!rule.where.empty()) out += " where " + joined(rule.where, " and ", " and ", term);
  if (rule.on_limit) out += text::format(" on-limit {}", word_of(*rule.on_limit));
  return out;
}

std::string sentence_of(const Rule& rule) {
  std::string where;
  if (!rule.where.empty()) {
    where = " where " + joined(rule.where, " and ", " and ", condition_of);
  }
  if (rule.kind == Rule::Kind::kForbid) return "no session may start" + where;
  std::string per;
  if (!rule.per.empty()) {
    per = " for each " + joined(rule.per, ", ", " and ",
                                [](const Attribute& each) { return std::string(name_of(each)); });
  }
  const bool one = rule.max == 1;
  const std::string counted = rule.kind == Rule::Kind::kSessions
                                  ? text::format("{} session{}", rule.max, one ? "" : "s")
                                  : text::format("{} different {} of {}", rule.max,
                                                 one ? "value" : "values", name_of(rule.distinct));
  return text::format("at most {}{}{} at once; {}", counted, per, where, what_happens(rule));
}

Result<LimitText> parse_limit(std::string_view text) {
  Words words(text);
  if (auto done = words.advance(); !done) return done.error();
  const Error takes{ErrorKind::kInvalid,
                    text::format("it takes a whole number from 0 (no limit) to {}, alone or with "
                                 "'distinct device', 'distinct network' or 'distinct content'",
                                 kMaxLimit)};
  const auto number = read_number(words, 0);
  if (!number || text.back() == ' ' || text.front() == ' ') return takes;
  LimitText limit{*number};
  if (words.at_end()) return limit;
  Rule counted;
  if (!read_counted(words, counted) || !words.at_end()) return takes;
  if (counted.kind == Rule::Kind::kSessions) return limit;
  limit.counts = counted.distinct.kind;
  if (limit.counts == Attribute::Kind::kMeta || limit.counts == Attribute::Kind::kIp) return takes;
  return limit;
}

std::string to_text(const LimitText& limit) {
  if (!limit.counts) return std::to_string(limit.limit);
  return text::format("{} distinct {}", limit.limit, name_of(*limit.counts));
}

}  // namespace concur
