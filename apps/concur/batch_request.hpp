#pragma once

#include "base/result.hpp"
#include "line_reader.hpp"
#include "net/client.hpp"
#include "output_queue.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

namespace concur::cli {

// What came of the lines of all requests.
struct BatchAnswers {
  OutputQueue out;
  std::uint64_t count = 0;
  // At least one says that its line was invalid, was not permitted, could not be carried out.
  bool invalid = false;
  bool forbidden = false;
  bool failed = false;
};

// Connects, with the errors of Client::open().
Result<ClientStream> begin_batch(Client& client);

// One request of a batch, whose lines go out and whose answers come in at the same time. It ends
// its body by itself where it has as many lines as the daemon takes, and where none has come for
// some time, before the daemon would end it. A line that was sent is never sent again.
class BatchRequest {
 public:
  // `answers` must outlive it.
  BatchRequest(ClientStream stream, Millis timeout, BatchAnswers& answers);

  // Whether there is room for a line now.
  bool takes_lines() const;

  // Takes the line; false where it must go into the next request.
  bool add(const LineReader::Line& line);

  // Sends what was added; `last`: there are no more lines.
  void send(bool last);

  int fd() const { return stream_.fd(); }
  short events(bool takes_answer) const { return stream_.events(takes_answer); }

  // How long poll may wait, in milliseconds.
  int wait(bool takes_answer) const;

  // After a poll; `ready`: it reported something of fd(). True where the request is over and each
  // line has its answer. An Error where it is over, or none came in time, and a line has not.
  Result<bool> advance(bool ready, bool takes_answer);

  std::size_t owed() const { return owed_.size(); }

 private:
  using TimePoint = std::chrono::steady_clock::time_point;

  Result<void> take_answers();
  void take_answer(std::string_view line);
  Error refusal() const;
  Error unanswered(const Result<void>& read) const;

  ClientStream stream_;
  Millis timeout_;
  BatchAnswers& answers_;
  std::string unsent_;              // added, and not handed to the stream yet
  std::deque<std::uint64_t> owed_;  // the numbers of the lines without an answer
  std::size_t lines_ = 0;
  std::size_t bytes_ = 0;
  bool finished_ = false;  // the body is ended
  TimePoint last_line_;    // when the last one was added
  TimePoint progress_;     // from when on an answer is waited for
  std::string answer_;     // what is there of a line of the answer
  std::string last_word_;  // the answer's last line, where it is the answer to none
};

}  // namespace concur::cli
