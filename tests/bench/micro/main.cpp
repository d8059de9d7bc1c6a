// Micro-benchmarks: what a single step costs. Takes Google Benchmark's options; `micro CASE COUNT`
// runs one case that many times within a function that callgrind can watch, and `micro --names`
// lists them.

#include "micro/case.hpp"

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

using concur::bench::Case;
using concur::bench::CaseEntry;

// What callgrind collects in: its name must be known, and it must not melt into its caller.
extern "C" __attribute__((noinline)) void measured_runs(Case& one, long times) {
  for (long i = 0; i < times; ++i) {
    one.run();
  }
}

namespace {

// What happens the first time only, tables and buffers that grow, is not counted.
constexpr long kWarmUps = 10;

std::vector<CaseEntry> all_cases() {
  std::vector<CaseEntry> all;
  for (const auto cases : {concur::bench::registry_cases(), concur::bench::json_cases(),
                           concur::bench::router_cases()}) {
    all.insert(all.end(), cases.begin(), cases.end());
  }
  return all;
}

int run(const std::vector<CaseEntry>& cases, const char* name, long times) {
  for (const CaseEntry& entry : cases) {
    if (entry.name == name) {
      const auto one = entry.make();
      for (long i = 0; i < kWarmUps; ++i) {
        one->run();
      }
      measured_runs(*one, times);
      return 0;
    }
  }
  std::fprintf(stderr, "micro: there is no case %s\n", name);
  return 2;
}

int measure(const std::vector<CaseEntry>& cases, int argc, char** argv) {
  for (const CaseEntry& entry : cases) {
    const auto body = [make = entry.make](benchmark::State& state) {
      const auto one = make();
      for (auto _ : state) {
        one->run();
      }
    };
    auto* added = benchmark::RegisterBenchmark(std::string(entry.name).c_str(), body);
    if (entry.most > 0) {
      added->Iterations(entry.most);
    }
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<CaseEntry> cases = all_cases();
  if (argc == 2 && std::strcmp(argv[1], "--names") == 0) {
    for (const CaseEntry& entry : cases) {
      std::printf("%s\n", std::string(entry.name).c_str());
    }
    return 0;
  }
  if (argc == 3 && argv[1][0] != '-') {
    const long times = std::atol(argv[2]);
    return times > 0 ? run(cases, argv[1], times) : 2;
  }
  return measure(cases, argc, argv);
}
