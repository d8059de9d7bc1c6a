// A line `NAME = TEXT` of a rule, or of the limit: it is refused with a reason, or it is a rule
// that prints as a text which is read as the same rule, and by which starts can be judged. And
// numbers for rules, as they are stored.
#include "rules/attribute.hpp"
#include "rules/counting.hpp"
#include "rules/rule_numbers.hpp"
#include "rules/rule_set.hpp"
#include "rules/rule_text.hpp"
#include "support/claim.hpp"
#include "support/fuzz_target.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

using namespace concur;
using fuzz::claim;

namespace {

constexpr std::string_view kMeta =
    R"({"type":"tv","kind":"live","app":"legacy-3","home":false,"a b":"x,y","n":1.5})";

void check_counting(const Rule& rule) {
  const Attributes full("d1", "192.0.2.1", "film", kMeta);
  const Attributes other("d2", "2001:db8::1", "film", R"({"type":"tv","kind":"live"})");
  const Attributes none({}, {}, {}, {});
  const std::vector<Other> others{{full}, {other}, {none}, {other, true}, {full, true, true}};
  for (const Attributes& start : {full, other, none}) {
    if (!applies(rule, start)) continue;
    const Counted counted = count({&rule, rule.max}, start, others);
    claim(counted.others.size() <= 3, "who leaves is not counted");
    claim(counted.count <= counted.others.size(), "there are no more values than sessions");
    claim((counted.excess == kNeverRoom) == (rule.kind == Rule::Kind::kForbid),
          "what forbids never has room");
    claim(rule.kind == Rule::Kind::kForbid || counted.excess <= counted.count,
          "no more go than there are");
    claim(counted_together(rule, start).size() == rule.per.size(), "each attribute is named");
    claim(!applies_anew(rule, start, start), "what stays as it is is not judged again");
  }
}

void check_rule(std::string_view name, std::string_view text) {
  const auto read = parse_rule(name, text);
  if (!read) {
    claim(read.error().kind == ErrorKind::kInvalid, "a rule is refused as invalid");
    claim(!read.error().message.empty(), "with a reason");
    return;
  }
  claim(is_rule_name(name) && read->name == name, "a rule has its name");
  claim((read->max > 0) == (read->kind != Rule::Kind::kForbid),
        "what does not forbid has a number");
  const std::string printed = to_text(*read);
  const auto again = parse_rule(name, printed);
  claim(again.has_value(), "what is printed can be read");
  claim(*again == *read, "as the same rule");
  claim(to_text(*again) == printed, "and prints the same");
  claim(!sentence_of(*read).empty(), "it can be said");
  RuleSet set;
  claim(set.add(*read).has_value(), "it can be the first of a set");
  claim(!set.add(*read).has_value(), "and is there once");
  Rule second = *read;
  second.name = "second";
  claim(name == "second" || set.add(second).has_value(), "another may say the same");
  set.doubts(3);
  check_counting(*read);
}

void check_limit(std::string_view text) {
  const auto read = parse_limit(text);
  if (!read) {
    claim(read.error().kind == ErrorKind::kInvalid, "a limit is refused as invalid");
    return;
  }
  claim(read->limit <= kMaxLimit, "a limit has its bound");
  const auto again = parse_limit(to_text(*read));
  claim(again && again->limit == read->limit && again->counts == read->counts,
        "what is printed is read as the same");
}

void check_numbers(std::string_view text) {
  const auto read = RuleNumbers::parse(text);
  if (!read) return;
  claim(read->all().size() <= RuleNumbers::kMost, "there are not too many");
  claim(std::ranges::is_sorted(read->all()), "they have their order");
  claim(RuleNumbers::parse(read->to_text()) == read, "what is written is read as the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  const std::size_t equals = line.find(" = ");
  if (equals == std::string_view::npos) {
    check_rule("rule", line);
    check_limit(line);
    check_numbers(line);
    return 0;
  }
  check_rule(line.substr(0, equals), line.substr(equals + 3));
  return 0;
}
