#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string_view>

namespace concur::bench {

/// One thing that is measured, with all that it needs made beforehand.
class Case {
 public:
  virtual ~Case() = default;
  virtual void run() = 0;
};

struct CaseEntry {
  std::string_view name;
  std::function<std::unique_ptr<Case>()> make;
  /// How often it may be run before it finds nothing to do any more; 0 for any number of times.
  long most = 0;
};

/// A case that is a function: what it works on lives within it.
template <class Run>
class FunctionCase final : public Case {
 public:
  explicit FunctionCase(Run run) : run_(std::move(run)) {}
  void run() override { run_(); }

 private:
  Run run_;
};

template <class Run>
std::unique_ptr<Case> make_case(Run run) {
  return std::make_unique<FunctionCase<Run>>(std::move(run));
}

/// Keeps the compiler from leaving out what nobody looks at.
template <class T>
void keep(const T& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

std::span<const CaseEntry> registry_cases();
std::span<const CaseEntry> json_cases();
std::span<const CaseEntry> router_cases();

}  // namespace concur::bench
