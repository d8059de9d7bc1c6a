#include "work_watch.hpp"

#include "answer_values.hpp"
#include "ask.hpp"
#include "base/terminal_progress.hpp"
#include "request.hpp"

#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <optional>
#include <utility>

namespace concur::cli {

namespace {

constexpr Millis kPatience{500};  // with a daemon that is too busy to say how far it is

// What is counted, in words that outlive the answer.
std::string_view unit_of(std::string_view name) {
  for (const std::string_view unit : {"sessions", "users", "hours"}) {
    if (name == unit) return unit;
  }
  return {};
}

// Of all work of that name, for nobody can say whose is whose; nothing where there is none.
std::optional<WorkState> find_work(std::string_view status, std::string_view what) {
  const auto members = read_object(status);
  const auto* all = members ? array_of(*members, "work") : nullptr;
  if (all == nullptr) return std::nullopt;
  std::optional<WorkState> found;
  for (const auto& each : *all) {
    const auto* work = each.if_object();
    if (work == nullptr || cli::text_of(*work, "what") != what) continue;
    if (!found) found = WorkState{.what = what};
    found->unit = unit_of(cli::text_of(*work, "unit").value_or(""));
    found->done += count_of(*work, "done");
    found->total += count_of(*work, "total");
  }
  return found;
}

Fd make_timer() {
  Fd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  const itimerspec times{.it_interval = {0, 500'000'000}, .it_value = {1, 0}};
  if (timer) ::timerfd_settime(timer.get(), 0, &times, nullptr);
  return timer;
}

}  // namespace

WorkWatch::WorkWatch(std::vector<std::string> sockets, std::string_view what)
    : client_(std::move(sockets), kPatience), what_(what), progress_(terminal_progress()) {
  if (!progress_.has_display()) return;
  timer_ = make_timer();
  progress_.report({.what = what_});  // it begins now
}

void WorkWatch::look() {
  std::uint64_t times = 0;
  if (::read(timer_.get(), &times, sizeof times) < 0 || is_here_) return;
  const auto answer = client_.request("GET", "/v1/status");
  const auto work = answer && answer->status == 200 ? find_work(answer->body, what_) : std::nullopt;
  if (!work) return;
  total_ = work->total;
  progress_.report(*work);
}

void WorkWatch::here(const WorkState& work) {
  is_here_ = true;
  progress_.report(work);
}

Result<HttpAnswer> ask_long(Client& client, const char* verb, const Request& request,
                            std::string_view what) {
  WorkWatch watch(client.paths(), what);
  client.look_after(watch.fd(), [&watch] {
    watch.look();
    return true;
  });
  auto answer = ask(client, verb, request);
  client.look_after(-1, nullptr);
  return answer;
}

}  // namespace concur::cli
