#include "base/loop_runner.hpp"

#include <doctest/doctest.h>
#include <boost/asio/executor_work_guard.hpp>

#include <functional>
#include <future>
#include <stdexcept>
#include <thread>

using namespace concur;

TEST_CASE("LoopRunner") {
  boost::asio::io_context loop;
  LoopRunner runner(loop);
  SUBCASE("what is quick is waited for in place") {
    std::thread::id waited;
    std::thread::id told;
    int outcome = 0;
    boost::asio::post(loop, [&] {
      runner.wait_for(
          [&] {
            waited = std::this_thread::get_id();
            return 7;
          },
          [&](int value) {
            told = std::this_thread::get_id();
            outcome = value;
          });
    });
    runner.run();
    CHECK(outcome == 7);
    CHECK(waited == told);
    CHECK(told == std::this_thread::get_id());
  }
  SUBCASE("while it lasts, another thread goes on, as often as that happens") {
    constexpr int kTimes = 20;
    int held_up = 0;
    bool in_order = true;
    std::function<void()> hold_up = [&] {
      std::promise<void> another_ran;
      auto signal = another_ran.get_future();
      // Only a loop that goes on meanwhile can end the wait.
      boost::asio::post(loop,
                        [promise = std::move(another_ran)]() mutable { promise.set_value(); });
      runner.wait_for(
          [signal = std::move(signal), thread = std::this_thread::get_id()]() mutable {
            signal.wait();
            return thread;
          },
          [&](std::thread::id waited) {
            in_order = in_order && waited != std::this_thread::get_id();
            if (++held_up < kTimes) boost::asio::post(loop, hold_up);
          });
    };
    boost::asio::post(loop, hold_up);
    runner.run();
    CHECK(held_up == kTimes);
    CHECK(in_order);
  }
  SUBCASE("a stop by whoever took over ends it, when the one that was held up is back") {
    bool back = false;
    bool told = false;
    boost::asio::post(loop, [&] {
      std::promise<void> stopped;
      auto signal = stopped.get_future();
      boost::asio::post(loop, [&loop, promise = std::move(stopped)]() mutable {
        loop.stop();
        promise.set_value();
      });
      runner.wait_for(
          [&back, signal = std::move(signal)]() mutable {
            signal.wait();
            return back = true;
          },
          [&told](bool /*unused*/) { told = true; });
    });
    runner.run();
    CHECK(back);
    CHECK_FALSE(told);
  }
  SUBCASE("what a handler throws comes out") {
    boost::asio::post(loop, [] { throw std::runtime_error("broken"); });
    CHECK_THROWS_WITH(runner.run(), "broken");
  }
  SUBCASE("what fails while it is waited for comes out, whoever leads by then") {
    const auto busy = boost::asio::make_work_guard(loop);
    boost::asio::post(loop, [&] {
      std::promise<void> another_ran;
      auto signal = another_ran.get_future();
      boost::asio::post(loop,
                        [promise = std::move(another_ran)]() mutable { promise.set_value(); });
      runner.wait_for(
          [signal = std::move(signal)]() mutable -> int {
            signal.wait();
            throw std::runtime_error("broken");
          },
          [](int /*unused*/) {});
    });
    CHECK_THROWS_WITH(runner.run(), "broken");
  }
  SUBCASE("what a handler throws on the other thread comes out too") {
    boost::asio::post(loop, [&] {
      std::promise<void> another_ran;
      auto signal = another_ran.get_future();
      boost::asio::post(loop, [promise = std::move(another_ran)]() mutable {
        promise.set_value();
        throw std::runtime_error("broken");
      });
      runner.wait_for(
          [signal = std::move(signal)]() mutable {
            signal.wait();
            return 0;
          },
          [](int /*unused*/) {});
    });
    CHECK_THROWS_WITH(runner.run(), "broken");
  }
}
