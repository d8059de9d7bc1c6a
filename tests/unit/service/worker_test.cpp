#include "service/worker.hpp"

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>

#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace concur;

namespace {

// Records which thread destroys it.
class Held {
 public:
  explicit Held(std::vector<std::thread::id>& by) : by_(by) {}
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ~Held() { by_.push_back(std::this_thread::get_id()); }

 private:
  std::vector<std::thread::id>& by_;
};

}  // namespace

TEST_CASE("Worker") {
  boost::asio::io_context loop;
  const auto keeps_loop = boost::asio::make_work_guard(loop);
  SUBCASE("gives what each job gave to its reply, in order, on the loop's thread") {
    Worker<int> worker(loop, "test", 10);
    std::vector<int> given;
    std::vector<std::thread::id> jobs;
    for (int i = 0; i < 10; ++i) {
      worker.submit(
          [i, &jobs](Interruption&) -> Result<int> {
            jobs.push_back(std::this_thread::get_id());
            return i;
          },
          [&given](const Result<int>& outcome) { given.push_back(*outcome); });
    }
    while (given.size() < 10) loop.run_one();
    CHECK(given == std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
    CHECK(jobs == std::vector(10, jobs.front()));
    CHECK(jobs.front() != std::this_thread::get_id());
  }
  SUBCASE("what a reply holds is destroyed on the loop's thread") {
    std::vector<std::thread::id> by;
    std::size_t answered = 0;
    {
      Worker<int> worker(loop, "test", 1);
      for (std::size_t i = 0; i < 50; ++i) {
        worker.submit([](Interruption&) -> Result<int> { return 1; },
                      [&answered, held = std::make_shared<const Held>(by)](const Result<int>&) {
                        ++answered;
                      });
        while (answered == i) loop.run_one();
      }
    }
    CHECK(by == std::vector(50, std::this_thread::get_id()));
  }
  SUBCASE("is full with so many jobs, until one is answered") {
    Worker<int> worker(loop, "test", 2);
    int answered = 0;
    for (int i = 0; i < 2; ++i) {
      CHECK_FALSE(worker.full());
      worker.submit([](Interruption&) -> Result<int> { return 1; },
                    [&answered](const Result<int>&) { ++answered; });
    }
    CHECK(worker.full());
    while (answered == 0) loop.run_one();
    CHECK_FALSE(worker.full());
  }
  SUBCASE("its end interrupts the job under way, and no other begins or is answered") {
    std::promise<void> begun;
    std::promise<void> cancelled;
    bool second = false;
    bool answered = false;
    {
      Worker<int> worker(loop, "test", 2);
      worker.submit(
          [&](Interruption& interruption) {
            return interruption.run([&] { cancelled.set_value(); },
                                    [&]() -> Result<int> {
                                      begun.set_value();
                                      cancelled.get_future().wait();
                                      return Error{ErrorKind::kUnavailable, "interrupted"};
                                    });
          },
          [&](const Result<int>&) { answered = true; });
      worker.submit(
          [&](Interruption&) -> Result<int> {
            second = true;
            return 1;
          },
          [&](const Result<int>&) { answered = true; });
      begun.get_future().wait();
    }
    CHECK_FALSE(second);
    CHECK_FALSE(answered);
  }
}

TEST_CASE("Interruption: what would begin after the stop does not") {
  Interruption interruption;
  interruption.stop();
  const auto outcome = interruption.run([] {}, []() -> Result<int> { return 1; });
  REQUIRE(outcome.has_error());
  CHECK(outcome.error().kind == ErrorKind::kUnavailable);
}
