#include "base/progress.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

namespace concur {
namespace {

using namespace std::chrono_literals;

constexpr WorkState kHalf{.what = "copying", .unit = "rows", .done = 500, .total = 1000};

TEST_CASE("progress_text") {
  SUBCASE("says how much of how much, how fast, and how long it will take") {
    CHECK(progress_text(kHalf, 10s) == "copying: 50 %, 500 of 1000 rows, 50/s, 10s left");
    CHECK(progress_text({.what = "backup", .done = 3 << 20, .total = 12 << 20}, 1s) ==
          "backup: 25 %, 3.0 MiB of 12 MiB, 3.0 MiB/s, 3s left");
  }
  SUBCASE("counts where the total is not known") {
    CHECK(progress_text({.what = "batch", .unit = "lines", .done = 500}, 5s) ==
          "batch: 500 lines, 100/s");
  }
  SUBCASE("says how long it has taken where nothing is counted") {
    CHECK(progress_text({.what = "opening"}, 75s) == "opening: 1m15s");
    CHECK(progress_text({.what = "opening", .unit = "rows", .total = 9}, 75s) ==
          "opening: 0 %, 0 of 9 rows");
  }
  SUBCASE("never says more than all") {
    CHECK(progress_text({.what = "a", .unit = "rows", .done = 12, .total = 9}, 3s) ==
          "a: 100 %, 9 of 9 rows, 3/s");
  }
  SUBCASE("fits a terminal: the bar shrinks and goes, then the rate, then the amount") {
    CHECK(progress_text(kHalf, 10s, 100) ==
          "copying:  50 % [###############               ] 500 of 1000 rows, 50/s, 10s left");
    CHECK(progress_text(kHalf, 10s, 60) ==
          "copying:  50 % [#####     ] 500 of 1000 rows, 50/s, 10s left");
    CHECK(progress_text(kHalf, 10s, 50) == "copying:  50 % 500 of 1000 rows, 50/s, 10s left");
    CHECK(progress_text(kHalf, 10s, 42) == "copying:  50 % 500 of 1000 rows, 10s left");
    CHECK(progress_text(kHalf, 10s, 30) == "copying:  50 % 10s left");
    CHECK(progress_text(kHalf, 10s, 20) == "copying:  50 %");
    CHECK(progress_text(kHalf, 10s, 5) == "copyi");
    for (std::size_t columns = 0; columns < 120; ++columns) {
      CHECK(progress_text(kHalf, 10s, columns).size() <= columns);
    }
  }
}

// What was shown of whom, and when.
struct Shown final : ProgressDisplay {
  explicit Shown(std::vector<std::string>& into) : lines(into) {}
  Millis first() const override { return 1s; }
  Millis every() const override { return 200ms; }
  void show(const WorkState& work, Millis elapsed) override {
    lines.push_back(std::string(work.what) + " " + std::to_string(elapsed.count()));
  }
  void clear() override { lines.emplace_back("cleared"); }
  std::vector<std::string>& lines;
};

TEST_CASE("Progress") {
  std::vector<std::string> lines;
  Millis now = 5s;
  Progress progress(std::make_unique<Shown>(lines), [&now] { return now; });
  const auto report_at = [&](Millis at, std::string_view what) {
    now = at;
    progress.report({.what = what});
  };
  SUBCASE("shows nothing in the first second, and then not more often than it should") {
    report_at(60s, "a");
    report_at(60s + 999ms, "a");
    CHECK(lines.empty());
    CHECK_FALSE(progress.is_shown());
    report_at(61s, "a");
    report_at(61s + 199ms, "a");
    report_at(61s + 200ms, "a");
    CHECK(lines == std::vector<std::string>{"a 1000", "a 1200"});
    CHECK(progress.is_shown());
  }
  SUBCASE("measures each part by itself, and goes on showing") {
    report_at(60s, "a");
    report_at(62s, "a");
    report_at(63s, "b");
    report_at(64s, "b");
    CHECK(lines == std::vector<std::string>{"a 2000", "b 0", "b 1000"});
  }
  SUBCASE("clears what it has shown, once, and begins anew") {
    progress.end();
    report_at(60s, "a");
    report_at(61s, "a");
    report_at(61s, "");
    progress.end();
    CHECK(lines == std::vector<std::string>{"a 1000", "cleared"});
    report_at(70s, "a");
    report_at(70s + 999ms, "a");
    CHECK(lines.size() == 2);
  }
  SUBCASE("is shown nowhere without a display") {
    Progress none(nullptr, [] { return Millis(0); });
    none.report({.what = "a"});
    CHECK_FALSE(none.has_display());
    CHECK_FALSE(none.is_shown());
  }
}

}  // namespace
}  // namespace concur
