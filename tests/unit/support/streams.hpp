#pragma once

#include "api/message.hpp"

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace concur::test {

// A body that the test gives out bit by bit.
struct FakeSource : BodySource {
  State read(std::string& out, std::size_t room) override {
    const std::size_t size = std::min(room, text.size());
    out += text.substr(0, size);
    text.erase(0, size);
    return text.empty() ? behind : State::kMore;
  }
  void set_waker(std::function<void()> function) override { wake = std::move(function); }
  void drain() override { drained = true; }
  void on_client_end() override { client_ended = true; }

  void give(std::string_view more, State then = State::kWaiting) {
    text += more;
    behind = then;
    if (wake) wake();
  }

  std::string text;
  State behind = State::kWaiting;
  bool drained = false;
  bool client_ended = false;
  std::function<void()> wake;
};

// Takes what arrives, as the test wants it.
struct FakeSink : BodySink {
  bool take(std::string_view part) override {
    taken += part;
    return wants_more;
  }
  void finish() override { finished = true; }
  void give_up(int status, std::string_view cause) override {
    given_up = std::to_string(status) + " " + std::string(cause);
  }
  bool paused() const override { return is_paused; }

  std::string taken;
  bool wants_more = true;
  bool is_paused = false;
  bool finished = false;
  std::string given_up;
};

}  // namespace concur::test
