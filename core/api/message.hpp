#pragma once

#include "base/callback.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace concur {

// Who asks, as far as the routes care. Each may do what those before it may.
enum class Role { kMetrics, kClient, kOperator };

// One HTTP request. Views that live through the call which hands it over, no longer.
struct Request {
  std::string_view method;
  std::string_view target;  // path and query, as sent
  std::string_view body;
  Role role = Role::kMetrics;
  std::string_view caller{};  // for the log: "uid 1000, pid 42"
};

// The body of an answer that is made while it goes out.
class BodySource {
 public:
  enum class State {
    kMore,     // there is more now: read again
    kWaiting,  // nothing more for now: on_more's function will tell
    kEnd,      // that was all
    kBroken,   // what is left cannot be given: the connection closes, so that it shows
  };

  virtual ~BodySource() = default;

  // Appends what comes next, whole lines of about `room` bytes in all.
  virtual State read(std::string& out, std::size_t room) = 0;

  // `wake` is called, never from within read(), once there may be more, or room again for what the
  // request still brings. It only takes note: what it leads to happens in a later turn of the loop.
  virtual void on_more(std::function<void()> wake) = 0;

  // The daemon stops: come to the end as soon as what was accepted is answered.
  virtual void drain() = 0;
};

// The body of a request that is handled while it arrives.
class BodySink {
 public:
  virtual ~BodySink() = default;

  // The next bytes. False where no more are taken: the answer will end without the rest.
  virtual bool take(std::string_view part) = 0;
  // The body is whole.
  virtual void finish() = 0;
  // It stopped arriving, or cannot be read. Status and cause are what a refusal of the request
  // would have told: 408 and "it did not arrive within 10 s".
  virtual void give_up(int status, std::string_view cause) = 0;
  // True while so many answers are owed that no more should be read, of the body and of what
  // follows it. It changes when the source is read, or as the source's on_more tells.
  virtual bool full() const = 0;
};

struct Response {
  int status = 200;
  std::string body;
  std::string_view content_type = "application/json";  // of static storage
  std::string headers;                                 // further ones, each line ended by CR LF
  std::shared_ptr<BodySource> source{};                // what follows the body, where not null
};

// Answers requests. For the loop thread alone.
class Handler {
 public:
  // Gets the response once, on the loop thread; may be called at once or much later, or never where
  // the daemon stops.
  using Respond = Callback<void(Response&&)>;

  virtual ~Handler() = default;
  virtual void handle(const Request& request, Respond respond) = 0;

  // Is shown what arrived from a client, whole or not, before anything of what arrived from all
  // of them is handled.
  virtual void foresee(std::string_view /*arrived*/) {}

  // Whether the body of such a request is to be handled while it arrives: then it comes by
  // handle_stream(), called with the head alone, and not by handle(). Null where it was answered
  // at once and the body is of no use.
  virtual bool streams(std::string_view method, std::string_view target) const = 0;
  virtual std::shared_ptr<BodySink> handle_stream(const Request& head, Respond respond) = 0;
};

}  // namespace concur
