#pragma once

#include "common/unix_socket.hpp"
#include "load/dialect.hpp"
#include "load/pacer.hpp"
#include "load/work.hpp"

#include <cstddef>
#include <string_view>
#include <vector>

namespace concur::bench {

struct Outstanding {
  Request request;
  Clock::time_point since;
};

struct Answered {
  Outstanding asked;
  /// kMalformed if the bytes make no sense or nothing was asked; the connection is then of no more
  /// use, and what was asked still counts as unanswered.
  int status = 0;
  /// The head of the answer; valid until the next call.
  std::string_view head;
};

/// One connection: what is to be sent, what was asked and not answered, what arrived of an answer.
class Connection {
 public:
  /// Up to `pipeline` requests are unanswered at any time; where they go in `bursts`, the next one
  /// begins when the last is answered.
  Connection(Fd fd, unsigned pipeline, bool bursts, const Dialect& dialect);

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] bool open() const { return static_cast<bool>(fd_); }
  [[nodiscard]] bool has_room() const { return open() && asked_ < ring_.size() && !waits_for_all_; }
  [[nodiscard]] std::size_t unanswered() const { return asked_; }
  [[nodiscard]] bool has_unsent() const { return sent_ < filled_; }

  /// Adds a request to those to be sent; only if `has_room()`.
  void ask(const Request& request, Clock::time_point since, const SessionNames& names);

  /// Sends as much as the socket takes; false if the connection is broken.
  bool flush();

  /// Reads once; false if the connection was closed or is broken.
  bool receive();

  /// Takes the next answer out of what was received; false if there is none.
  bool next_answer(Answered& answered);

  void close() { fd_.reset(); }

 private:
  Fd fd_;
  const Dialect* dialect_;
  std::vector<Outstanding> ring_;
  std::size_t oldest_ = 0;
  std::size_t asked_ = 0;
  bool bursts_;
  bool waits_for_all_ = false;
  std::vector<char> out_;
  std::size_t filled_ = 0;
  std::size_t sent_ = 0;
  std::vector<char> in_;
  std::size_t read_ = 0;
  std::size_t parsed_ = 0;
  // Bytes of an answer's body that are still to be skipped.
  std::size_t skip_ = 0;
};

}  // namespace concur::bench
