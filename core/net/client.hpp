#pragma once

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"

#include <boost/system/error_code.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace concur {

inline constexpr std::size_t kMaxAnswerBody = std::size_t{64} * 1024 * 1024;

struct HttpAnswer {
  int status = 0;     // 200 to 599; whoever asked judges it
  bool json = false;  // whether it names application/json as its type
  std::string body;
};

// Asks a daemon over HTTP/1.1 on a Unix socket, one request at a time; the connection is kept
// between requests. Not for use by two threads at once. Nothing is sent or opened before the first
// request.
class Client {
 public:
  // The socket paths are tried in their order, and the first that accepts is kept. Each request has
  // `timeout` for all it does: to connect, to send and to receive.
  Client(std::vector<std::string> paths, Millis timeout);

  // `target` goes out as it is, so it must be percent-encoded; a body goes out as JSON.
  //
  // Connecting is tried again until the time is over, with growing pauses, for nothing was sent. So
  // is a connection the daemon closed since the last answer. Once something of a request was sent
  // it is never sent again: after an error the daemon may have done it or not.
  //
  // Errors, of which those of connecting name each path and end in a hint:
  //   kForbidden    the system refused permission, found at once
  //   kInvalid      no path can be a socket's: empty, or longer than a socket address holds; found
  //   at once kAbsent       there is no socket kUnavailable  nothing listens on the socket, or the
  //   connection ended without an answer kTimeout      no connection, or no whole answer, in time
  //   kCorrupt      the answer is not HTTP, cut off, or its body is larger than kMaxAnswerBody
  Result<HttpAnswer> request(std::string_view method, std::string_view target,
                             std::string_view body = {});

  // From now on, whenever `fd` can be read while a request waits, `on_input` is called, which reads
  // it; where it returns false the request is given up, as one whose time is over.
  void look_after(int fd, std::function<bool()> on_input);

  // Of the last request: whether look_after's function gave it up, and whether anything of it was
  // sent. After an error without that, the daemon knows nothing of it.
  bool given_up() const { return given_up_; }
  bool sent() const { return sent_; }

  // Gives the connection back to the daemon, for a caller whose next request is far off; that
  // request connects again.
  void disconnect() { fd_.close(); }

 private:
  using Deadline = std::chrono::steady_clock::time_point;

  Result<void> connect(Deadline deadline);
  bool wait(int fd, short events, Deadline until);
  bool send(std::string_view bytes, Deadline deadline);
  Result<HttpAnswer> receive(Deadline deadline);
  Error out_of_time() const;
  Error unreadable(const boost::system::error_code& code) const;

  std::vector<std::string> paths_;
  Millis timeout_;
  Fd fd_;
  const std::string* path_ = nullptr;  // of paths_: the one fd_ is connected to
  int watched_ = -1;
  std::function<bool()> on_input_;
  bool given_up_ = false;
  bool sent_ = false;
};

}  // namespace concur
