#pragma once

#include "api/message.hpp"
#include "api/waker.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"
#include "service/event_log.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace concur {

// Some kinds of events: the bit of each.
using EventKinds = std::uint32_t;
inline constexpr EventKinds kAllEventKinds = ~EventKinds{0};
constexpr EventKinds bit_of(EventKind kind) { return EventKinds{1} << static_cast<unsigned>(kind); }

// Reads names as events have them, with commas between: "denied,evicted". kInvalid for one that no
// event has.
Result<EventKinds> parse_event_kinds(std::string_view names);

// What a watcher wants to see.
struct Watch {
  std::string user{};                    // empty: all users
  std::optional<std::uint64_t> since{};  // the number of the last event seen; none: from now on
  std::string boot{};                    // in which life of the daemon; empty: in this one
  bool renewed = false;                  // renewals too
  EventKinds kinds = kAllEventKinds;     // no others
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
  void on_client_end() override { drain(); }

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
