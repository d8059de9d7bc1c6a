#include "batch.hpp"

#include "base/text.hpp"
#include "batch_progress.hpp"
#include "batch_request.hpp"
#include "line_reader.hpp"
#include "output_queue.hpp"

#include <poll.h>
#include <unistd.h>

#include <optional>

namespace concur::cli {

namespace {

// A reader of the answers that is this far behind gets no further lines done, and one that is as
// far behind as the other leaves them on the connection.
constexpr std::size_t kSlowReader = std::size_t{256} * 1024;
constexpr std::size_t kStuckReader = std::size_t{8} * 1024 * 1024;

class Batcher {
 public:
  explicit Batcher(Client& client) : client_(client), in_(STDIN_FILENO) {}

  Result<ExitCode> run() {
    auto code = run_all();
    progress_.end();
    return code;
  }

 private:
  Result<ExitCode> run_all() {
    while (!at_end()) {
      if (auto fed = feed(); !fed) return not_all(fed.error());
      if (auto turned = turn(); !turned) return not_all(turned.error());
      if (output_error_) return *output_error_;
    }
    if (input_error_) return not_all(*input_error_);
    // What may be carried out another time goes first: whoever repeats it comes to the rest then.
    if (answers_.failed) return ExitCode::kNoAnswer;
    if (answers_.invalid) return ExitCode::kInvalid;
    return answers_.forbidden ? ExitCode::kForbidden : ExitCode::kDone;
  }

  bool at_end() { return !request_ && !in_.peek() && in_.at_end() && answers_.out.size() == 0; }

  bool may_send() const {
    return answers_.out.size() < kSlowReader && (!request_ || request_->takes_lines());
  }

  // Hands over the lines that are there, and begins a request for them where there is none.
  Result<void> feed() {
    while (may_send()) {
      const auto line = in_.peek();
      if (!line) break;
      if (!request_) {
        if (answers_.out.size() > 0) break;  // connecting may wait, and these need not
        auto stream = begin_batch(client_);
        if (!stream) return std::move(stream).error();
        request_.emplace(std::move(*stream), client_.timeout(), answers_);
      }
      if (!request_->add(*line)) break;
      in_.pop();
    }
    if (request_) request_->send(in_.at_end());
    return {};
  }

  // Waits until something can be done, and does it.
  Result<void> turn() {
    const bool reads = !in_.peek() && !in_.at_end() && may_send();
    const bool takes_answer = answers_.out.size() < kStuckReader;
    const short events = request_ ? request_->events(takes_answer) : short{0};
    pollfd entries[] = {{.fd = reads ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0},
                        {.fd = STDOUT_FILENO, .events = answers_.out.events(), .revents = 0},
                        {.fd = events != 0 ? request_->fd() : -1, .events = events, .revents = 0}};
    const int wait = request_ ? request_->wait(takes_answer) : -1;
    if (at_end()) return {};
    progress_.note(in_.peek() || (request_ && request_->owed() > 0), answers_.count);
    ::poll(entries, 3, progress_.wait(wait));
    if (entries[0].revents != 0) {
      if (auto read = in_.read(); !read) input_error_ = std::move(read).error();
    }
    if (auto written = answers_.out.advance(entries[1].revents); !written) {
      output_error_ = std::move(written).error();
      return {};
    }
    if (!request_) return {};
    auto over = request_->advance(entries[2].revents != 0, takes_answer);
    if (!over) return std::move(over).error();
    if (*over) request_.reset();
    return {};
  }

  // What was answered is printed before the error says that the rest was not.
  Result<ExitCode> not_all(Error error) {
    if (auto written = answers_.out.flush(); !written) return std::move(written).error();
    error.message += text::format("; {} lines have their answers, {} more were sent",
                                  answers_.count, request_ ? request_->owed() : 0);
    return error;
  }

  Client& client_;
  BatchProgress progress_;
  LineReader in_;
  BatchAnswers answers_;
  std::optional<BatchRequest> request_;
  std::optional<Error> input_error_;
  std::optional<Error> output_error_;
};

}  // namespace

Result<ExitCode> run_batch(Client& client, const Batch& /*batch*/) { return Batcher(client).run(); }

}  // namespace concur::cli
