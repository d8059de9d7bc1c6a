#include "service/command_meter.hpp"

#include "support/fake_service.hpp"
#include "support/moments.hpp"

#include <doctest/doctest.h>

#include <utility>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::FakeClock;

namespace {

// Answers as the test says, at once or when it says so.
class Scripted final : public Service {
 public:
  void when_ready(Callback<void()> /*ready*/) override {}
  void submit(const Command& /*command*/, const Now& /*now*/, Reply given) override {
    reply = std::move(given);
  }
  void report(const ReportQuery& /*query*/, ReportReply /*reply*/) override {}
  void backup(BackupReply /*reply*/) override {}
  void configure(const ServiceConfig& /*config*/) override {}
  const std::string& trouble() const override { return none; }
  ServiceStatus status() const override { return {}; }
  void finish(Callback<void()> /*done*/) override {}

  Reply reply;
  std::string none;
};

Id id() { return *Id::parse("id", "x"); }

}  // namespace

TEST_CASE("CommandMeter") {
  Scripted service;
  FakeClock clock;
  CommandMeter meter(service, clock);
  int answered = 0;
  const auto ask = [&](const Command& command, Result<Answer> answer, Millis takes = 0ms) {
    meter.submit(command, [&answered](const Result<Answer>&) { ++answered; });
    clock.tick(takes);
    service.reply(std::move(answer));
  };
  const auto figures = [&] { return meter.figures(clock.now().instant); };
  const Start start{id(), id()};
  const Heartbeat beat{id(), id()};
  const Error failed{ErrorKind::kUnavailable, "cannot"};

  SUBCASE("counts each command once, under what it was answered") {
    Granted renewed;
    renewed.renewed = true;
    Granted observed;
    observed.would_deny = true;
    ask(start, Answer(Granted{}));
    ask(start, Answer(renewed));
    ask(start, Answer(observed));
    ask(start, Answer(Denied{}));
    ask(start, Answer(Throttled{}));
    ask(start, failed);
    ask(start, Answer(Refused{failed}));
    ask(beat, Answer(renewed));
    ask(beat, Answer(Gone{}));
    ask(beat, Answer(Unknown{}));
    ask(beat, failed);
    Ended ended;
    ended.ended = true;
    ask(End{id(), id()}, Answer(ended));
    ask(End{id(), id()}, Answer(Ended{}));
    ask(End{id(), id()}, failed);
    ask(ListAll{}, Answer(Page{}));
    CHECK(answered == 15);
    const CommandCounts counts = figures().counts;
    CHECK(counts.starts.started == 1);
    CHECK(counts.starts.renewed == 1);
    CHECK(counts.starts.would_deny == 1);
    CHECK(counts.starts.denied == 1);
    CHECK(counts.starts.throttled == 1);
    CHECK(counts.starts.failed == 2);
    CHECK(counts.heartbeats.renewed == 1);
    CHECK(counts.heartbeats.gone == 1);
    CHECK(counts.heartbeats.unknown == 1);
    CHECK(counts.heartbeats.failed == 1);
    CHECK(counts.ends.ended == 1);
    CHECK(counts.ends.not_active == 1);
    CHECK(counts.ends.failed == 1);
    CHECK(counts.durations[0].count() == 7);
    CHECK(counts.durations[1].count() == 4);
    CHECK(counts.durations[2].count() == 3);
    CHECK(counts.durations[3].count() == 1);
    CHECK(figures().starts.total == 2);
    CHECK(figures().denials.total == 2);
    CHECK(figures().heartbeats.total == 2);
    CHECK(figures().ends.total == 1);
  }
  SUBCASE("measures from the arrival to the answer, also of those that failed") {
    ask(start, Answer(Granted{}), 1500ms);
    ask(start, failed, 500ms);
    CHECK(figures().counts.durations[0].sum() == 2'000'000'000);
  }
  SUBCASE("rates are of the last minute") {
    for (int i = 0; i < 60; ++i) ask(start, Answer(Granted{}));
    CHECK(figures().starts.per_second == 1);
    clock.tick(60s);
    CHECK(figures().starts.per_second == 0);
    CHECK(figures().starts.total == 60);
  }
}
