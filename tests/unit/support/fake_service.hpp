#pragma once

#include "service/service.hpp"

#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace concur::test {

// Answers heartbeats at once, and starts when the test says so.
class FakeService : public Service {
 public:
  void when_ready(Callback<void()> ready) override { ready(); }
  void submit(const Command& command, const Now& /*now*/, Reply reply) override {
    ++submitted;
    if (const auto* start = std::get_if<Start>(&command)) {
      Granted granted;
      granted.user = start->user.text();
      granted.session = start->session.text();
      waiting.emplace_back(std::move(granted), std::move(reply));
    } else {
      reply(Answer(Unknown{"u", std::string(padding, 'p')}));
    }
  }
  void answer_oldest() {
    auto [answer, reply] = std::move(waiting.front());
    waiting.pop_front();
    reply(std::move(answer));
  }
  void answer_newest() {
    auto [answer, reply] = std::move(waiting.back());
    waiting.pop_back();
    reply(std::move(answer));
  }

  void prefetch(std::string_view user) override { prefetched.emplace_back(user); }

  void report(const ReportQuery& /*query*/, ReportReply /*reply*/) override {}
  void backup(BackupReply /*reply*/) override {}
  void configure(const ServiceConfig& /*config*/) override {}
  const std::string& trouble() const override { return failing; }
  ServiceStatus status() const override {
    ServiceStatus status;
    status.work = work;
    return status;
  }
  void finish(Callback<void()> done) override { done(); }

  std::vector<std::string> prefetched;
  std::string failing;
  std::vector<WorkState> work;
  std::size_t submitted = 0;
  std::size_t padding = 1;
  std::deque<std::pair<Answer, Reply>> waiting;
};

}  // namespace concur::test
