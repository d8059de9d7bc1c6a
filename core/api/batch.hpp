#pragma once

#include "api/batch_line.hpp"
#include "api/client_memory.hpp"
#include "api/message.hpp"
#include "api/waker.hpp"
#include "base/in_order.hpp"
#include "service/command_meter.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace concur {

// Many commands in one request: a JSON object a line in, an answer a line out, in order, each as
// soon as it is there. The body of the request and that of the response at once. What it holds is
// bounded: a part of a line, what is read and waits for room, and the answers that are owed. For
// the loop thread alone; make it with std::make_shared.
class CommandBatch final : public BodySink,
                           public BodySource,
                           public std::enable_shared_from_this<CommandBatch> {
 public:
  static constexpr std::size_t kMaxAtOnce = 32;
  static constexpr std::uint64_t kMaxCommands = 10'000;
  static constexpr std::uint64_t kMaxBytes = std::uint64_t{8} * 1024 * 1024;
  static constexpr std::size_t kMaxLineBytes = std::size_t{64} * 1024;
  static constexpr std::size_t kMaxOwedBytes = std::size_t{4} * 1024 * 1024;

  // The meter and the memory must outlive it. `caller` is for the log; `may_set_limits` is asked
  // for each start that brings one, and for each line that is for operators; `running` counts
  // batches that have not come to their end.
  CommandBatch(CommandMeter& meter, ClientMemory& memory, std::string caller,
               std::function<bool()> may_set_limits, std::shared_ptr<std::size_t> running);
  CommandBatch(const CommandBatch&) = delete;
  CommandBatch& operator=(const CommandBatch&) = delete;
  ~CommandBatch() override { release(); }

  // Of the request.
  bool take(std::string_view part) override;
  void finish() override;
  void give_up(int status, std::string_view cause) override;
  bool paused() const override;

  // Of the response.
  State read(std::string& out, std::size_t room) override;
  void set_waker(std::function<void()> wake) override { waker_.set(std::move(wake)); }
  void drain() override;

 private:
  // An answer that those before it must leave ahead of.
  struct Owed {
    std::string text;
    bool ready = false;
  };
  using Number = InOrder<Owed>::Number;

  void end_input(int status, std::string_view cause);
  void work();
  std::size_t split(std::string_view text);
  void end_of_input();
  void take_line(std::string_view line);
  void submit();
  void submit_operators(Number number);
  void ask(Number number, const Command& command);
  void refuse(int status, std::string_view cause);
  void answer(Number number, const Response& response);
  void give(std::string& out, std::size_t room);
  void wake();
  void release();
  bool owes_too_much() const;
  void count_memory();
  std::string evict();

  CommandMeter& meter_;
  ClientMemory::Share memory_;
  std::string caller_;
  std::function<bool()> may_set_limits_;
  std::shared_ptr<std::size_t> running_;  // null once it has come to its end
  Waker waker_;

  std::string input_;     // what is not taken yet: a part of a line, or what waits for room
  bool no_room_ = false;  // the latter
  std::uint64_t bytes_ = 0;
  std::uint64_t line_ = 0;  // the number of the one taken last
  std::uint64_t commands_ = 0;
  bool skipping_ = false;    // the rest of a line that is too long
  bool input_over_ = false;  // no more comes, because of:
  int end_status_ = 0;       // 0: it is whole
  std::string end_cause_;
  bool closed_ = false;   // each line that will be taken has been
  bool evicted_ = false;  // its answers were dropped, for others need the memory
  BatchLine parsed_;

  InOrder<Owed> owed_;
  std::size_t held_ = 0;         // bytes of the texts in owed_
  std::size_t ready_count_ = 0;  // of those in owed_
  std::string ready_;            // what can go out
  std::size_t given_ = 0;
};

}  // namespace concur
