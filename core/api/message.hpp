#pragma once

#include "api/target.hpp"
#include "base/callback.hpp"

#include <boost/container/static_vector.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace concur {

// Who asks, as far as the routes care. Each may do what those before it may.
enum class Role { kMetrics, kClient, kOperator };

// One line of a request's header; the name in small letters.
struct Field {
  std::string_view name;
  std::string_view value;
};

// One HTTP request. Views that live until it is handled, no longer.
struct Request {
  std::string_view method{};
  std::string_view target{};  // path and query, as sent
  std::string_view body{};
  Role role = Role::kMetrics;
  std::string_view caller{};        // for the log: "uid 1000, pid 42"
  std::int64_t uid = -1;            // of a process on this machine, where the kernel says so
  std::span<const Field> fields{};  // of the header, where its entrance reads them
};

// The body of an answer that is made while it goes out.
class BodySource {
 public:
  enum class State {
    kMore,     // there is more now: read again
    kWaiting,  // nothing more for now: the waker is called when there is
    kEnd,      // that was all
    kBroken,   // what is left cannot be given: the connection closes, so that it shows
  };

  virtual ~BodySource() = default;

  // Appends what comes next, whole lines of about `room` bytes in all.
  virtual State read(std::string& out, std::size_t room) = 0;

  // `wake` is called, never from within read(), once there may be more, or room again for what the
  // request still brings. It only takes note: the source is read later.
  virtual void set_waker(std::function<void()> wake) = 0;

  // The daemon stops: come to the end as soon as what was accepted is answered.
  virtual void drain() = 0;

  // The client sends no more, and may be gone: over TCP, and behind a tunnel, the two look alike.
  // What waits for what may never come ends; what has an end of its own goes on to it.
  virtual void on_client_end() {}
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
  // would have said: 408 and "it did not arrive within 10 s".
  virtual void give_up(int status, std::string_view cause) = 0;
  // Back-pressure: no more is to be read for now, of the body and of what follows it. It changes
  // when the source is read, or as the source's waker says.
  virtual bool paused() const = 0;
};

struct Response {
  int status = 200;
  std::string body{};
  std::string_view content_type = "application/json";  // of static storage
  std::string headers{};                               // further ones, each line ended by CR LF
  std::shared_ptr<BodySource> source{};                // what follows the body, where not null
};

struct Route;

// Who sent a request, for what is answered much later.
class Asker {
 public:
  // While a request is handled: `gone` is called once, where nothing more will come of whoever sent
  // it before it is answered: the connection is over, or the client has ended its side of it. What
  // is answered then still reaches a client that only stopped sending.
  virtual void on_gone(Callback<void()> gone) = 0;

 protected:
  ~Asker() = default;
};

// What stands in a path where its pattern has braces, in order.
using Names = boost::container::static_vector<std::string_view, 2>;

// A request, and what the handler finds that it asks for.
struct Call {
  Request request{};
  Target target{};
  Names names{};
  const Route* route = nullptr;  // none: there is none for such a request
  bool streams = false;          // its body is handled while it arrives
  Asker* asker = nullptr;        // null: whoever it is stays
};

// Answers requests. For the loop thread alone.
class Handler {
 public:
  // Gets the response once, on the loop thread; may be called at once or much later, or never where
  // the daemon stops.
  using Respond = Callback<void(Response&&)>;

  virtual ~Handler() = default;

  // The head of a request is whole, call.request without its body: finds what it asks for, and
  // prefetches what that will look at. Decides nothing: others that arrived in the same turn begin
  // before the first of them is handled.
  virtual void begin(Call& call) = 0;

  // Handles what begin() was called for: where the body streams before any of it is there, else
  // with the whole of it. Where it streams, the body goes to what is returned; null says that it is
  // of no use, for that is answered already. Else it returns null.
  virtual std::shared_ptr<BodySink> handle(const Call& call, Respond respond) = 0;
};

}  // namespace concur
