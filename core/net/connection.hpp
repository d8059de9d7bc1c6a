#pragma once

#include "api/client_memory.hpp"
#include "api/message.hpp"
#include "base/callback.hpp"
#include "base/fd.hpp"
#include "base/turn.hpp"
#include "net/answer_queue.hpp"
#include "net/deadline.hpp"
#include "net/gate.hpp"
#include "net/in_buffer.hpp"
#include "net/poller.hpp"
#include "net/request_parser.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace concur {

// One client's connection: reads requests, hands them to the handler, sends the answers in the
// order of the requests. What arrives is read and parsed at the beginning of a turn, decided in its
// next stage, and answered in the last. Bounded in all directions: bytes read ahead, requests under
// way, bytes not yet sent, and time; and all connections together by the memory held for clients.
class Connection final : public Poller::Watcher,
                         public std::enable_shared_from_this<Connection>,
                         private Asker {
 public:
  using Closed = std::function<void(Connection&)>;

  // The socket does not block. `now` is the server's tick counter. `closed` is called once, when
  // the connection is over. All must outlive it.
  Connection(Fd socket, Poller& poller, Gate& gate, Handler& handler, ClientMemory& memory,
             const Tick& now, Closed closed);

  void open();

  // Enforces the time limits; called about once a second.
  void check_time();

  // Answers what has arrived, then closes.
  void drain();

  void close();

  const Caller& caller() const { return caller_; }

  void on_ready(unsigned events) override;

 private:
  // What the bytes are that arrive next.
  enum class Input {
    kNext,       // a request that has not begun
    kHead,       // the rest of a request's head
    kRest,       // the rest of a request whose head is whole
    kBody,       // a body that sink_ takes
    kPaused,     // the same, and sink_ takes none for now; some may be here
    kSkipped,    // the rest of a body that is of no use: read, so that the client reads the answer
    kNone,       // nothing any more: the last request is taken, or the client sends no more
    kLingering,  // anything, behind the last answer: a close with unread bytes would reset the
                 // connection, and could take the answer with it (RFC 9112, section 9.6)
  };
  // What the client, or a refusal, is waited for.
  enum class Waits { kNothing, kRequest, kRest, kBody, kTaking, kRefusal, kEnd };

  // --- what arrives ---
  void receive();
  void on_end(bool at_end);
  void on_client_end();
  bool peer_is_gone();
  bool wants_input() const;
  bool awaits_end() const;
  bool may_take_more() const;
  bool at_request() const { return input_ <= Input::kRest; }
  bool in_request() const { return input_ == Input::kHead || input_ == Input::kRest; }
  bool in_body() const { return input_ == Input::kBody || input_ == Input::kPaused; }
  bool holds_request() const;
  bool parse();
  bool authorize();
  void refuse(int status, std::string_view cause);
  void refuse_later(Refusal&& refusal);

  // --- what is decided ---
  void decide();
  bool take_request();
  void begin_body(AnswerQueue::Number number, std::shared_ptr<BodySink> sink);
  bool take_body();
  void end_body();
  void give_up_body(int status, std::string_view cause);
  void skip_body();
  Handler::Respond responder(AnswerQueue::Number number);
  void respond(AnswerQueue::Number number, Response&& response);
  void on_gone(Callback<void()> gone) override;
  void report_gone();

  // --- what is sent ---
  void send();
  void send_later();
  bool collect();
  void send_some();
  void go_on();
  void linger();
  void retire();
  bool idle() const { return answers_.empty() && in_.empty() && !refusal_; }
  void update_deadlines();
  void update_interest();
  Tick patience() const;
  void count_memory();
  std::string evict();

  Fd socket_;  // none once it is closed
  Poller& poller_;
  Poller::Interest watched_;  // what the poller watches the socket for
  Gate& gate_;
  Caller caller_;
  Handler& handler_;
  ClientMemory::Share memory_;
  Closed closed_;
  OwnStep<&Connection::decide, Connection> decide_step_{*this};
  OwnStep<&Connection::send, Connection> send_step_{*this};

  RequestParser parser_;
  InBuffer in_;
  Input input_ = Input::kNext;
  Call call_;  // in kRest: the request whose head is whole
  // Takes the body of the last request, and stays until its answer has ended.
  std::shared_ptr<BodySink> sink_;
  AnswerQueue::Number sink_number_ = 0;

  AnswerQueue answers_;
  // What is called for which requests, those that are not answered yet, if the client is gone.
  std::vector<std::pair<AnswerQueue::Number, Callback<void()>>> to_call_;
  AnswerQueue::Number handled_ = 0;  // the request that the handler was given last
  std::optional<Refusal> refusal_;   // that is sent later, as the last answer
  Deadline<Waits> input_deadline_;
  Deadline<Waits> output_deadline_;
  bool blocked_ = false;  // the socket takes no more for now
  bool aborted_ = false;  // an answer that was begun cannot be completed: it closes in this turn
  bool retired_ = false;  // what comes next is the end
};

}  // namespace concur
