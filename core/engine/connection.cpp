#include "engine/connection.hpp"

#include <algorithm>
#include <utility>

namespace concur::engine {

namespace {

constexpr std::size_t kNameSize = 40;  // of a script: its SHA-1 in hexadecimal digits

}  // namespace

Connection::Connection(const Surroundings& surroundings, Address address, Scripts scripts,
                       std::function<void()> ready, std::function<void()> lost)
    : surroundings_(surroundings),
      address_(std::move(address)),
      scripts_(scripts),
      on_ready_(std::move(ready)),
      on_lost_(std::move(lost)) {}

// --- its life ---

void Connection::check_time() {
  const Instant now = surroundings_.clock.now().instant;
  if (state_ == State::kReady || now < due_) return;
  if (state_ == State::kResting) return connect(now);
  drop(state_ == State::kConnecting ? "it did not accept the connection in time"
                                    : "it did not answer in time");
}

void Connection::connect(Instant now) {
  state_ = State::kConnecting;
  due_ = now + surroundings_.patience;
  reader_ = std::make_unique<ReplyReader>();
  wire_ = surroundings_.dialer.dial(address_);
  wire_->connect([this](std::string failure) {
    surroundings_.turn.run([&] { on_connected(std::move(failure)); });
  });
}

void Connection::on_connected(std::string failure) {
  if (!failure.empty()) return drop(std::move(failure));
  state_ = State::kGreeting;
  greetings_ = 0;
  greet_all();
  read();
  if (greetings_ == 0) return become_ready();
  write();
}

// All at once: a server that does not know us refuses all of it.
void Connection::greet_all() {
  const Login& login = surroundings_.login;
  if (!login.password.empty()) {
    const std::string_view user = login.user.empty() ? "default" : std::string_view(login.user);
    greet(std::array<std::string_view, 3>{"AUTH", user, login.password}, nullptr);
  }
  if (scripts_ == Scripts::kNone) return;
  for (const Script script : kAllScripts) {
    greet(std::array<std::string_view, 3>{"SCRIPT", "LOAD", source_of(script)},
          &names_[static_cast<std::size_t>(script)]);
  }
}

void Connection::greet(std::span<const std::string_view> words, std::string* name) {
  ++greetings_;
  append(words, [this, name](Answer&& answer) { on_greeted(answer, name); });
}

void Connection::on_greeted(const Answer& answer, std::string* name) {
  if (!answer) return;
  if (answer->is_error()) return drop(answer->text);
  if (name != nullptr) {
    if (!answer->is_text() || answer->text.size() != kNameSize) {
      return drop("its answer to SCRIPT LOAD is none");
    }
    *name = answer->text;
  }
  if (--greetings_ == 0) become_ready();
}

void Connection::become_ready() {
  state_ = State::kReady;
  failure_.clear();
  if (on_ready_) on_ready_();
}

void Connection::drop(std::string cause) {
  if (state_ == State::kResting) return;
  if (state_ == State::kReady) ++losses_;
  state_ = State::kResting;
  due_ = surroundings_.clock.now().instant + rest_;
  rest_ = std::min(rest_ * 2, kMaxRest);
  failure_ = std::move(cause);
  wire_.reset();
  reader_.reset();
  out_.clear();
  writing_size_ = 0;
  for (const OnAnswer& unanswered : std::exchange(pending_, {})) unanswered(std::nullopt);
  if (on_lost_) on_lost_();
}

// --- commands ---

void Connection::send(std::span<const std::string_view> words, OnAnswer answered) {
  append(words, std::move(answered));
}

void Connection::append(std::span<const std::string_view> words, OnAnswer answered) {
  append_command(out_, words);
  pending_.push_back(std::move(answered));
}

void Connection::flush() {
  if (writing_size_ == 0 && !out_.empty()) write();
}

void Connection::write() {
  writing_size_ = out_.size();
  wire_->write(out_, [this](std::string failure) { on_written(std::move(failure)); });
}

void Connection::on_written(std::string failure) {
  if (!failure.empty()) {
    return surroundings_.turn.run([&] { drop(std::move(failure)); });
  }
  writing_size_ = 0;
  flush();
}

// --- answers ---

void Connection::read() {
  wire_->read([this](std::string failure, std::string_view bytes) {
    surroundings_.turn.run([&] { on_read(std::move(failure), bytes); });
  });
}

void Connection::on_read(std::string failure, std::string_view bytes) {
  if (!failure.empty()) return drop(std::move(failure));
  if (reader_->feed(bytes)) take_answers();
  if (!wire_) return;
  if (!reader_->failure().empty()) return drop(reader_->failure());
  read();
}

// What is called may drop the connection.
void Connection::take_answers() {
  while (auto reply = reader_->next()) {
    if (pending_.empty()) return drop("it answers what was not asked");
    if (state_ == State::kReady) rest_ = kMinRest;
    const OnAnswer answered = std::move(pending_.front());
    pending_.pop_front();
    answered(std::move(reply));
    if (!wire_) return;
  }
}

}  // namespace concur::engine
