#pragma once

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"
#include "net/client_answer.hpp"
#include "net/client_stream.hpp"
#include "net/connect.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace concur {

// Asks a daemon over HTTP/1.1 on a Unix socket, one request at a time; the connection is kept
// between requests. Not for use by two threads at once. Nothing is sent or opened before the first
// request.
class Client {
 public:
  // The socket paths are tried in their order, and the first that accepts is kept. Each request has
  // `timeout` for all it does: to connect, to send and to receive.
  Client(std::vector<std::string> paths, Millis timeout);

  // `target` goes out as it is, so it must be percent-encoded; a body goes out as JSON. `more` is
  // time beside the timeout, for what the daemon waits for before it can answer; none of it is for
  // connecting.
  //
  // Connecting is tried again until the time is over, with growing pauses, for nothing was sent. So
  // is a connection that the daemon closed since the last answer, or before it took any of the
  // request. Once something of a request was sent
  // it is never sent again: after an error the daemon may have done it or not.
  //
  // Errors, beside those of connect_to():
  //   kUnavailable  the connection ended without an answer
  //   kTimeout      no connection, or no whole answer, in time
  //   kCorrupt      the answer is not HTTP, cut off, or its body is larger than kMaxAnswerBody
  Result<HttpAnswer> request(std::string_view method, std::string_view target,
                             std::string_view body = {}, Millis more = Millis(0));

  // Begins a request whose answer, and perhaps whose body, are handled as they come, over a
  // connection of its own. Only connecting waits, as for request(), with its errors.
  Result<ClientStream> open(std::string_view method, std::string_view target,
                            ClientStream::Body body);

  Millis timeout() const { return timeout_; }
  const std::vector<std::string>& paths() const { return paths_; }

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
  Result<Connected> connect(Deadline deadline);
  bool pause(Deadline deadline);
  bool wait(int fd, short events, Deadline until);
  bool send(std::string_view bytes, Deadline deadline);
  Result<HttpAnswer> receive(Deadline deadline, Millis time);

  std::vector<std::string> paths_;
  Millis timeout_;
  Fd fd_;
  std::string path_;  // of paths_: the one fd_ is connected to
  int watched_ = -1;
  std::function<bool()> on_input_;
  bool given_up_ = false;
  bool sent_ = false;
};

}  // namespace concur
