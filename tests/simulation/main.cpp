// Runs the whole service through random days on a disk that fails; see tests/README.md.
#include "base/text.hpp"
#include "driver.hpp"

#include <CLI/CLI.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace {

using concur::simulation::Driver;
using concur::simulation::Mismatch;
using Wall = std::chrono::system_clock;

struct Options {
  std::vector<std::uint64_t> seed;
  std::uint64_t seeds = 20;
  std::uint64_t steps = 1000;
  std::uint64_t seconds = 0;
  bool fresh = false;
  bool trace = false;
  bool log = false;
  bool overlaps = false;
};

struct Totals {
  std::uint64_t steps = 0;
  std::uint64_t seeds = 0;
  std::map<std::string, std::uint64_t> met;
};

// False where something was wrong, and told.
bool run(std::uint64_t seed, const Options& options, Wall::time_point end, Totals& totals) {
  std::unique_ptr<Driver> driver;
  std::string wrong;
  try {
    driver = std::make_unique<Driver>(seed, options.overlaps);
    while (driver->steps() < options.steps && Wall::now() < end) driver->step();
  } catch (const Mismatch& mismatch) {
    wrong = mismatch.what();
  }
  if (!driver) {
    concur::text::print(stdout, "seed {}, at the first start: {}\n", seed, wrong);
    return false;
  }
  totals.steps += driver->steps();
  ++totals.seeds;
  for (const auto& [what, times] : driver->met()) totals.met[what] += times;
  if (options.trace || !wrong.empty()) {
    for (const std::string& line : driver->trace()) concur::text::print(stdout, "{}\n", line);
  }
  if (wrong.empty()) return true;
  concur::text::print(stdout, "\nseed {}, step {}: {}\nagain: simulation --seed {} --steps {}\n",
                      seed, driver->steps(), wrong, seed, driver->steps());
  return false;
}

// The service logs each failing commit.
void silence_log() {
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  dup2(nowhere, STDERR_FILENO);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("The whole service on a simulated machine, held against a model");
  app.add_option("--seed", options.seed, "These seeds alone");
  app.add_option("--seeds", options.seeds, "So many seeds, from 1 on");
  app.add_option("--steps", options.steps, "Steps of each seed");
  app.add_option("--seconds", options.seconds, "At most; with it, seeds without an end");
  app.add_flag("--fresh", options.fresh, "One seed more, from the clock");
  app.add_flag("--trace", options.trace, "Print each seed's last steps");
  // Not all that may be found of it after a disk that lied is modelled: seed 7.
  app.add_flag("--overlaps", options.overlaps,
               "Starts that are one too many are let in for a while");
  app.add_flag("--log", options.log, "Let the service log");
  CLI11_PARSE(app, argc, argv);
  if (!options.log) silence_log();
  setvbuf(stdout, nullptr, _IOLBF, 0);

  const auto began = Wall::now();
  const auto end = options.seconds == 0 ? Wall::time_point::max()
                                        : began + std::chrono::seconds(options.seconds);
  Totals totals;
  std::vector<std::uint64_t> seeds = options.seed;
  if (options.fresh) {
    seeds.push_back(static_cast<std::uint64_t>(began.time_since_epoch().count()) % 1'000'000'007);
    concur::text::print(stdout, "a fresh seed: {}\n", seeds.back());
  }
  bool right = true;
  for (const std::uint64_t seed : seeds) right = right && run(seed, options, end, totals);
  if (options.seed.empty()) {
    for (std::uint64_t seed = 1; right && Wall::now() < end; ++seed) {
      if (options.seconds == 0 && seed > options.seeds) break;
      right = run(seed, options, end, totals);
    }
  }
  const std::chrono::duration<double> took = Wall::now() - began;
  concur::text::print(stdout, "{} steps of {} seeds in {:.1f} s\n", totals.steps, totals.seeds,
                      took.count());
  for (const auto& [what, times] : totals.met)
    concur::text::print(stdout, "  {:<24} {}\n", what, times);
  return right ? 0 : 1;
}
