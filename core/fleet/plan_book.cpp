#include "fleet/plan_book.hpp"

#include "base/text.hpp"
#include "session/id.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace concur {

namespace {

// "1<limit>,<on-limit, or nothing>", in decimal and in words.
std::string write_plan(const PlanRow& plan) {
  return text::format("1{},{}", plan.limit, plan.on_limit ? word_of(*plan.on_limit) : "");
}

std::optional<PlanRow> read_plan(const engine::Field& field) {
  if (!field.name.starts_with('p') || !field.value || !field.value->starts_with('1')) {
    return std::nullopt;
  }
  PlanRow plan;
  plan.plan = field.name.substr(1);
  if (!Id::parse("plan", plan.plan)) return std::nullopt;
  const char* const end = field.value->data() + field.value->size();
  const auto [rest, failed] = std::from_chars(field.value->data() + 1, end, plan.limit);
  if (failed != std::errc() || rest == end || *rest != ',' || plan.limit > kMaxLimit) {
    return std::nullopt;
  }
  const std::string_view word(rest + 1, static_cast<std::size_t>(end - rest - 1));
  if (!word.empty()) {
    plan.on_limit = on_limit_of(word);
    if (!plan.on_limit) return std::nullopt;
  }
  return plan;
}

// Numbers for rules stand in a field of their own, which older boxes pass over.
void read_numbers(const engine::Field& field, std::vector<PlanRow>& plans) {
  if (!field.name.starts_with('n') || !field.value) return;
  const auto plan = std::ranges::find(plans, field.name.substr(1), &PlanRow::plan);
  const auto numbers = RuleNumbers::parse(*field.value);
  if (plan != plans.end() && numbers) plan->numbers = *numbers;
}

bool same(const PlanRow& a, const PlanRow& b) {
  return a.plan == b.plan && a.limit == b.limit && a.on_limit == b.on_limit &&
         a.numbers == b.numbers;
}

}  // namespace

PlanBook::PlanBook(engine::Engine& engine, Judge& judge, const Clock& clock,
                   const std::string& prefix, Millis timeout, std::function<void(Change&&)> store)
    : engine_(engine),
      judge_(judge),
      clock_(clock),
      key_(prefix + "plans"),
      timeout_(timeout),
      store_(std::move(store)) {}

void PlanBook::begin() {
  std::ranges::sort(known_, {}, &PlanRow::plan);
  judge_.set_plans(known_);
}

const PlanRow* PlanBook::find(std::string_view plan) const {
  const auto found = std::ranges::find(known_, plan, &PlanRow::plan);
  return found == known_.end() ? nullptr : &*found;
}

void PlanBook::tick() {
  const Instant now = clock_.now().instant;
  if (looking_ || now < next_look_) return;
  looking_ = true;
  look([this] { looking_ = false; });
}

void PlanBook::look(Callback<void()> then) {
  auto shared = std::make_shared<Callback<void()>>(std::move(then));
  engine_.read(key_, {}, clock_.now().instant + timeout_,
               [this, shared](engine::ReadOutcome&& outcome) {
                 next_look_ = clock_.now().instant + kLookAgain;
                 if (outcome.available) take(outcome.fields);
                 (*shared)();
               });
}

void PlanBook::take(const engine::Fields& fields) {
  has_looked_ = true;
  std::vector<PlanRow> plans;
  for (const engine::Field& each : fields) {
    if (auto plan = read_plan(each); plan && plans.size() < kMaxPlans) {
      plans.push_back(std::move(*plan));
    }
  }
  for (const engine::Field& each : fields) read_numbers(each, plans);
  std::ranges::sort(plans, {}, &PlanRow::plan);
  if (std::ranges::equal(plans, known_, same)) return;
  for (const PlanRow& each : known_) {
    if (std::ranges::find(plans, each.plan, &PlanRow::plan) == plans.end()) {
      store_(DropPlan{each.plan});
    }
  }
  for (const PlanRow& each : plans) store_(PutPlan{each});
  known_ = std::move(plans);
  judge_.set_plans(known_);
}

void PlanBook::put(const PlanRow& plan, Callback<void(Result<void>), 120> done) {
  engine::Field numbers{"n" + plan.plan, std::nullopt};
  if (!plan.numbers.empty()) numbers.value = plan.numbers.to_text();
  change({{"p" + plan.plan, write_plan(plan)}, std::move(numbers)}, std::move(done));
}

void PlanBook::drop(std::string_view plan, Callback<void(Result<void>), 120> done) {
  const std::string name(plan);
  change({{"p" + name, std::nullopt}, {"n" + name, std::nullopt}}, std::move(done));
}

void PlanBook::change(engine::Fields fields, Callback<void(Result<void>), 120> done) {
  engine::Change change;
  change.key = key_;
  change.fields = std::move(fields);
  change.expiry.kind = engine::Expiry::Kind::kForGood;
  change.despite_full_memory = true;
  const Instant deadline = clock_.now().instant + timeout_;
  auto shared = std::make_shared<Callback<void(Result<void>), 120>>(std::move(done));
  engine_.change(change, deadline, [this, shared](engine::ChangeOutcome&& outcome) {
    if (outcome.result != engine::ChangeOutcome::Result::kApplied) {
      return (*shared)(Error{outcome.repeated ? ErrorKind::kTimeout : ErrorKind::kUnavailable,
                             "cannot ask the fleet's engine: " + outcome.cause});
    }
    engine_.read(key_, {}, clock_.now().instant + timeout_,
                 [this, shared](engine::ReadOutcome&& read) {
                   if (read.available) take(read.fields);
                   (*shared)(Result<void>());
                 });
  });
}

}  // namespace concur
