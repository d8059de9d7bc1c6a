#include "api/batch.hpp"

#include "api/answer_json.hpp"
#include "api/error_response.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"

#include <algorithm>
#include <utility>

namespace concur {

namespace {

constexpr std::size_t kOwedEstimate = 256;  // of an answer that is not there yet
constexpr std::size_t kKeptRoom = std::size_t{256} * 1024;

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

// The same body as a response of its own would have, with the status in front.
void append_line(std::string& out, const Response& response) {
  out += "{\"status\":";
  out += text::Digits(response.status).view();
  out += ',';
  out.append(response.body, 1);
}

}  // namespace

CommandBatch::CommandBatch(CommandMeter& meter, ClientMemory& memory, std::string caller,
                           std::function<bool()> may_set_limits,
                           std::shared_ptr<std::size_t> running)
    : meter_(meter),
      memory_(memory, [this] { return evict(); }),
      caller_(std::move(caller)),
      may_set_limits_(std::move(may_set_limits)),
      running_(std::move(running)) {
  ++*running_;
}

void CommandBatch::release() {
  if (running_) --*std::exchange(running_, nullptr);
}

// --- what arrives ---

bool CommandBatch::take(std::string_view part) {
  if (closed_ || input_over_) return false;
  const bool too_much = bytes_ + part.size() > kMaxBytes;
  if (too_much) part = part.substr(0, kMaxBytes - bytes_);
  bytes_ += part.size();
  const bool in_place = input_.empty();
  if (in_place) part.remove_prefix(split(part));
  input_ += part;
  count_memory();
  if (too_much) {
    end_input(413, "a batch has at most 8 MiB");
  } else if (!in_place) {
    work();
  }
  return !closed_;
}

void CommandBatch::finish() { end_input(0, {}); }

void CommandBatch::give_up(int status, std::string_view cause) { end_input(status, cause); }

void CommandBatch::drain() { end_input(503, "the daemon is stopping"); }

void CommandBatch::end_input(int status, std::string_view cause) {
  if (std::exchange(input_over_, true)) return;
  end_status_ = status;
  end_cause_ = cause;
  work();
}

bool CommandBatch::paused() const { return !closed_ && (no_room_ || owes_too_much()); }

bool CommandBatch::owes_too_much() const {
  const std::size_t unready = owed_.size() - ready_count_;
  return ready_.size() - given_ + held_ + unready * kOwedEstimate >= kMaxOwedBytes;
}

// Takes what has arrived, as far as there is room for the answers.
void CommandBatch::work() {
  input_.erase(0, split(input_));
  if (input_over_ && !no_room_ && !closed_) end_of_input();
  if (closed_) give_back(input_);
  wake();
}

// Takes whole lines from the front of the text, and says how many bytes they are.
std::size_t CommandBatch::split(std::string_view text) {
  std::size_t done = 0;
  no_room_ = false;
  while (!closed_) {
    const std::size_t end = text.find('\n', done);
    if (end == std::string_view::npos) break;
    no_room_ = owes_too_much();
    if (no_room_) return done;
    if (!std::exchange(skipping_, false)) take_line(text.substr(done, end - done));
    done = end + 1;
  }
  if (closed_) return text.size();
  // Of a line that is too long, what was read so far is as much as will ever be looked at.
  if (!skipping_ && text.size() - done > kMaxLineBytes) {
    take_line(text.substr(done));
    skipping_ = true;
  }
  return skipping_ ? text.size() : done;
}

void CommandBatch::end_of_input() {
  if (end_status_ == 0) {
    if (!input_.empty()) take_line(input_);
  } else {
    ++line_;
    refuse(end_status_, end_cause_);
  }
  closed_ = true;
}

void CommandBatch::take_line(std::string_view line) {
  if (++line_ == 1) line = without_byte_order_mark(line);
  const bool too_long = line.size() > kMaxLineBytes;
  if (!too_long && is_blank(line)) return;
  if (commands_ == kMaxCommands) {
    refuse(413, "a batch has at most 10,000 commands");
    closed_ = true;
    return;
  }
  ++commands_;
  if (too_long) return refuse(413, "it has more than 64 KiB");
  if (const auto read = parse_batch_line(line, line_, parsed_); !read) {
    return answer(owed_.add(), to_response(read.error()));
  }
  submit();
}

// --- what is asked ---

void CommandBatch::submit() {
  const Number number = owed_.add();
  if (is_for_operators(parsed_.command)) return submit_operators(number);
  const auto user = Id::parse("user", parsed_.user);
  const auto session = Id::parse("session", parsed_.session);
  if (parsed_.session.empty()) return answer(number, to_response(session.error()));
  if (!user) return answer(number, to_response(user.error()));
  if (!session) return answer(number, to_response(session.error()));
  switch (parsed_.command) {
    case BatchCommand::kStart:
      if (!parsed_.body) return ask(number, Start{*user, *session});
      if (parsed_.body->limit && !may_set_limits_()) {
        return answer(
            number, error_response(403, "cannot set a limit with a start: that is for operators"));
      }
      return ask(number, start_of(*user, *session, *parsed_.body));
    case BatchCommand::kHeartbeat:
      if (!parsed_.body) return ask(number, Heartbeat{*user, *session});
      return ask(number, Heartbeat{*user, *session, parsed_.body->ttl, parsed_.body->start});
    case BatchCommand::kEnd:
      return ask(number, End{*user, *session, parsed_.body ? parsed_.body->start : std::nullopt,
                             parsed_.message});
    case BatchCommand::kLimit:
    case BatchCommand::kPlan:
    case BatchCommand::kBlock:
    case BatchCommand::kUnblock:
      break;
  }
}

void CommandBatch::submit_operators(Number number) {
  if (!may_set_limits_()) {
    return answer(number, error_response(403, "cannot do this: it is for operators"));
  }
  if (parsed_.command == BatchCommand::kPlan) {
    const auto plan = Id::parse("plan", parsed_.plan);
    if (!plan) return answer(number, to_response(plan.error()));
    const auto set = set_plan_of(*plan, parsed_.rule);
    return set ? ask(number, *set) : answer(number, to_response(set.error()));
  }
  const auto user = Id::parse("user", parsed_.user);
  if (!user) return answer(number, to_response(user.error()));
  if (parsed_.command == BatchCommand::kLimit) {
    ask(number, set_limit_of(*user, parsed_.rule));
  } else if (parsed_.command == BatchCommand::kBlock) {
    ask(number, SetBlock{*user, parsed_.block.length, parsed_.block.message});
  } else {
    ask(number, Unblock{*user});
  }
}

void CommandBatch::ask(Number number, const Command& command) {
  // Where the client is gone by then, so is the batch.
  meter_.submit(command, [batch = weak_from_this(), number](const Result<Answer>& given) {
    const auto self = batch.lock();
    if (!self) return;
    self->answer(number, given ? to_response(*given) : to_response(given.error()));
  });
}

void CommandBatch::refuse(int status, std::string_view cause) {
  answer(owed_.add(),
         error_response(status, text::format("cannot read line {}: {}", line_, cause)));
}

// --- what is answered ---

void CommandBatch::answer(Number number, const Response& response) {
  if (evicted_) return;
  if (number != owed_.first()) {
    Owed& owed = owed_[number];
    append_line(owed.text, response);
    owed.ready = true;
    held_ += owed.text.size();
    ++ready_count_;
    return count_memory();
  }
  append_line(ready_, response);
  owed_.pop_front();
  for (; !owed_.empty() && owed_.front().ready; --ready_count_) {
    ready_ += owed_.front().text;
    held_ -= owed_.front().text.size();
    owed_.pop_front();
  }
  count_memory();
  wake();
}

void CommandBatch::count_memory() {
  memory_.set(input_.capacity() + ready_.capacity() + held_ + owed_.size() * sizeof(Owed));
}

// Others need the memory, and this one holds most of it. What is being worked on may be in use.
std::string CommandBatch::evict() {
  evicted_ = closed_ = true;
  give_back(ready_);
  given_ = 0;
  for (Owed& owed : owed_) give_back(owed.text);
  wake();
  return caller_;
}

void CommandBatch::wake() {
  const bool at_end = evicted_ || (closed_ && owed_.empty());
  if (given_ == ready_.size() && !at_end) return;
  waker_.wake();
}

BodySource::State CommandBatch::read(std::string& out, std::size_t room) {
  waker_.reading();
  give(out, room);
  if (no_room_) work();
  if (evicted_) return State::kBroken;
  count_memory();
  if (given_ < ready_.size()) return State::kMore;
  if (closed_ && owed_.empty()) {
    release();
    return State::kEnd;
  }
  waker_.leave_waiting();
  return State::kWaiting;
}

// Whole lines of about that many bytes.
void CommandBatch::give(std::string& out, std::size_t room) {
  std::string_view text = std::string_view(ready_).substr(given_);
  if (text.size() > room) {
    std::size_t end = text.rfind('\n', room);
    if (end == std::string_view::npos) end = text.find('\n');
    text = text.substr(0, end + 1);
  }
  out += text;
  given_ += text.size();
  if (given_ == ready_.size()) {
    ready_.clear();
    if (ready_.capacity() > kKeptRoom) ready_.shrink_to_fit();
    given_ = 0;
  } else if (given_ >= kKeptRoom) {
    ready_.erase(0, given_);
    given_ = 0;
  }
}

}  // namespace concur
