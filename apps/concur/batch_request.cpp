#include "batch_request.hpp"

#include "answer_values.hpp"
#include "base/text.hpp"
#include "request.hpp"

#include <algorithm>
#include <charconv>
#include <climits>

namespace concur::cli {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kMaxLines = 10'000;
constexpr std::size_t kMaxBytes = 8'000'000;  // below the daemon's 8 MiB whatever else it counts
constexpr Millis kIdle{3'000};                // the daemon waits for ten seconds
constexpr std::size_t kMaxOwed = 1024;
constexpr std::size_t kMaxUnsent = std::size_t{64} * 1024;

// An answer's first member, as the daemon writes it; 0 where the line is no answer.
int status_of(std::string_view line) {
  constexpr std::string_view kBefore = R"({"status":)";
  int status = 0;
  if (line.starts_with(kBefore)) {
    std::from_chars(line.data() + kBefore.size(), line.data() + line.size(), status);
  }
  return status;
}

// The daemon counts the lines of one request, without the blank ones, which it did not get. Whoever
// reads the answer counts the lines of standard input.
std::string renumbered(std::string_view line, std::uint64_t number) {
  constexpr std::string_view kBefore = R"("message":"cannot read line )";
  const std::size_t found = line.find(kBefore);
  if (found == std::string_view::npos) return std::string(line);
  const std::size_t begin = found + kBefore.size();
  const std::size_t end = std::min(line.find_first_not_of("0123456789", begin), line.size());
  return text::format("{}{}{}", line.substr(0, begin), number, line.substr(end));
}

// The message of an error, after a colon.
std::string message_in(std::string_view json) {
  const auto error = read_object(json);
  const auto message = error ? text_of(*error, "message") : std::nullopt;
  return message ? ": " + *message : "";
}

}  // namespace

Result<ClientStream> begin_batch(Client& client) {
  const auto request = request_of(Batch{});
  return client.open(request.method, request.target, ClientStream::Body::kChunked);
}

BatchRequest::BatchRequest(ClientStream stream, Millis timeout, BatchAnswers& answers)
    : stream_(std::move(stream)), timeout_(timeout), answers_(answers) {}

bool BatchRequest::takes_lines() const {
  return !finished_ && owed_.size() < kMaxOwed && stream_.unsent() + unsent_.size() < kMaxUnsent;
}

bool BatchRequest::add(const LineReader::Line& line) {
  if (lines_ == kMaxLines || bytes_ + line.text.size() + 1 > kMaxBytes) {
    send(true);
    return false;
  }
  unsent_.append(line.text) += '\n';
  ++lines_;
  bytes_ += line.text.size() + 1;
  last_line_ = SteadyClock::now();
  if (owed_.empty()) progress_ = last_line_;
  owed_.push_back(line.number);
  return true;
}

void BatchRequest::send(bool last) {
  if (finished_) return;
  if (!unsent_.empty()) stream_.write(unsent_);
  unsent_.clear();
  if (last || lines_ == kMaxLines || left_until(last_line_ + kIdle).count() == 0) {
    stream_.finish();
    finished_ = true;
  }
}

int BatchRequest::wait(bool takes_answer) const {
  Millis wait(INT_MAX);
  if (!finished_) wait = std::min(wait, left_until(last_line_ + kIdle));
  if (takes_answer && (finished_ || !owed_.empty())) {
    wait = std::min(wait, left_until(progress_ + timeout_));
  }
  return static_cast<int>(wait.count());
}

Result<bool> BatchRequest::advance(bool ready, bool takes_answer) {
  const auto read = ready ? stream_.advance(takes_answer) : Result<void>();
  if (ready || !takes_answer) progress_ = SteadyClock::now();
  if (auto taken = take_answers(); !taken) return std::move(taken).error();
  const bool over = !read || stream_.done();
  if (over && stream_.answered() && stream_.status() != 200) return refusal();
  if (over && owed_.empty()) return true;
  if (over) return unanswered(read);
  if (ready || left_until(progress_ + timeout_).count() > 0) return false;
  if (!owed_.empty()) return no_answer_within(timeout_, stream_.path());
  return finished_;
}

Result<void> BatchRequest::take_answers() {
  if (!stream_.answered()) return {};
  answer_ += stream_.take_body();
  if (answer_.size() > kMaxAnswerBody) {
    return Error{ErrorKind::kCorrupt, "cannot batch: an answer is larger than 64 MiB"};
  }
  if (stream_.status() != 200) return {};
  if (!stream_.json()) {
    return Error{ErrorKind::kCorrupt,
                 "cannot batch: the answer is not concurrencyd's, it is not JSON; name the "
                 "daemon's socket with --socket"};
  }
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = answer_.find('\n', begin)) != std::string::npos;) {
    take_answer(std::string_view(answer_).substr(begin, end - begin));
    begin = end + 1;
  }
  answer_.erase(0, begin);
  return {};
}

void BatchRequest::take_answer(std::string_view line) {
  const int status = status_of(line);
  // The daemon waited in vain, or stops: no line's answer, and after it comes nothing.
  if (status == 408 || owed_.empty()) {
    last_word_ = line;
    return;
  }
  const bool invalid = status == 400 || status == 413 || status == 501;
  answers_.invalid |= invalid;
  answers_.forbidden |= status == 403;
  answers_.failed |= status >= 500 && !invalid;
  answers_.out.add(status >= 400 ? renumbered(line, owed_.front()) : std::string(line));
  answers_.out.add("\n");
  ++answers_.count;
  owed_.pop_front();
}

Error BatchRequest::refusal() const {
  ErrorKind kind = ErrorKind::kUnavailable;
  if (stream_.status() == 403) kind = ErrorKind::kForbidden;
  if (stream_.status() == 501) kind = ErrorKind::kUnsupported;
  return {kind, text::format("cannot batch: the daemon answered {}{}", stream_.status(),
                             message_in(answer_))};
}

Error BatchRequest::unanswered(const Result<void>& read) const {
  if (!read) return read.error();
  return {ErrorKind::kUnavailable,
          text::format("cannot batch: the daemon ended the answer{}", message_in(last_word_))};
}

}  // namespace concur::cli
