#pragma once

#include "api/message.hpp"
#include "api/waker.hpp"
#include "base/clock.hpp"
#include "service/event_log.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace concur {

// What a watcher wants to see.
struct Watch {
  std::string user{};                    // empty: all users
  std::optional<std::uint64_t> since{};  // the number of the last event seen; none: from now on
  std::string boot{};                    // in which life of the daemon; empty: in this one
  bool renewed = false;                  // renewals too
};

// Events as they happen, a JSON object a line, without end: the body of an answer. It reads the log
// at the pace of who takes it, and ends where that is too slow. For the loop thread alone.
class EventStream final : public BodySource {
 public:
  // So that there is always room for connections that ask.
  static constexpr std::size_t kMaxAtOnce = 3072;

  // Log and clock must outlive it. It counts among `at_once` while it lives.
  EventStream(EventLog& log, const Clock& clock, Watch watch,
              std::shared_ptr<std::size_t> at_once = std::make_shared<std::size_t>(0));
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;
  ~EventStream() override { --*at_once_; }

  State read(std::string& out, std::size_t room) override;
  void set_waker(std::function<void()> wake) override { waker_.set(std::move(wake)); }
  void drain() override;

 private:
  void place_cursor();
  void append_lost(std::string& out);
  void append_overtaken(std::string& out);
  bool wants(const Event& event) const;

  EventLog& log_;
  const Clock& clock_;
  Watch watch_;
  std::shared_ptr<std::size_t> at_once_;
  std::uint64_t next_ = 1;  // the number of the event to look at next
  bool lost_ = false;       // what was asked for is not there in whole, and that comes first
  bool restarted_ = false;  // because it was numbered by an earlier life of the daemon
  std::uint64_t missed_ = 0;
  bool draining_ = false;
  bool over_ = false;
  Waker waker_;
  EventLog::Reader reader_;  // last: it refers to the rest
};

// Appends one event of the log as a line.
void append_event(std::string& out, const EventLog& log, std::uint64_t number, const Event& event);

}  // namespace concur
