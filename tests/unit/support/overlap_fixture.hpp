#pragma once

#include "session/registry.hpp"
#include "support/registry_fixture.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace concur::test {

inline Rules with_overlap(Millis overlap) {
  Rules rules;
  rules.overlap = overlap;
  return rules;
}

// A user with three sessions, the limit.
struct OverlapFixture : RegistryFixture {
  OverlapFixture() {
    set_policy(with_overlap(std::chrono::seconds(5)));
    fill("abc");
  }

  Answer beat(std::string_view session) { return ask(Heartbeat{id("abc"), id(session)}); }
  void end(std::string_view session) { ask(End{id("abc"), id(session)}); }
  void beat_all() {
    for (const char* session : {"s1", "s2", "s3"}) beat(session);
  }
  // Those since the last call, as words.
  std::string events() {
    std::string all;
    registry.take_events([&all](Event&& event) {
      const bool denied = event.kind == EventKind::kDenied;
      all += all.empty() ? "" : " ";
      all += denied                              ? "denied"
             : event.kind == EventKind::kStarted ? "started"
             : event.kind == EventKind::kExpired ? "expired"
                                                 : "other";
      all += ":" + event.session.str() + ":" + std::to_string(event.active);
      if (event.more && event.more->provisional) all += *event.more->provisional ? "?" : "!";
    });
    return all;
  }
  EndReason reason_of(std::string_view session) {
    const Answer answer = beat(session);
    REQUIRE(std::holds_alternative<Gone>(answer));
    return std::get<Gone>(answer).reason;
  }
  // Another registry, from what is stored.
  Registry restarted(Millis overlap = std::chrono::seconds(5)) {
    std::vector<Change> all;
    CopyCursor cursor;
    while (registry.copy_some(cursor, 1000, all)) {
    }
    Policy policy = unthrottled();
    policy.overlap = overlap;
    Registry other(policy, 2);
    for (Change& each : all) {
      if (auto* row = std::get_if<Insert>(&each)) {
        CHECK(other.restore(std::move(row->row), clock.now()));
      } else if (auto* gone = std::get_if<PutGone>(&each)) {
        CHECK(other.restore(std::move(gone->row), clock.now()));
      }
    }
    return other;
  }
};

}  // namespace concur::test
