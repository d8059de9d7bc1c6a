#pragma once

#include "api/client_memory.hpp"
#include "api/message.hpp"
#include "base/fd.hpp"
#include "net/gate.hpp"
#include "net/in_buffer.hpp"
#include "net/poller.hpp"
#include "net/request_parser.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace concur {

// Counts seconds since the server's start; time-outs need no finer clock.
using Tick = std::uint32_t;

// One client's connection: reads requests, hands them to the handler, writes the answers in the
// order of the requests, though they may come in any. Bounded in all directions: bytes read ahead,
// requests under way, bytes not yet written, and time; and all connections together by the memory
// that clients may take.
class Connection final : public Poller::Watcher, public std::enable_shared_from_this<Connection> {
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
  void on_turn_end() override;

 private:
  // An answer under way: a place in the order of the requests.
  struct Place {
    bool keep_alive = true;
    bool head_only = false;
    bool chunks = true;             // the client knows them
    bool expects_continue = false;  // and waits for its turn to be told
    bool ready = false;
    bool begun = false;  // its head is written, and the source gives the rest
    Response response{};
  };

  void read();
  void receive();
  void on_read();
  bool peer_is_gone();
  void on_read_failed(bool at_end);
  void watch();
  void process();
  bool take_request();
  bool admit();
  void dispatch();
  void refuse(int status, std::string_view cause);
  bool may_take_more() const;

  void begin_body();
  bool take_body();
  void end_body();
  void drop_body();
  void give_up_body(int status, std::string_view cause);
  void read_body();

  Handler::Respond responder();
  void respond(std::uint64_t place, Response&& response);
  bool collect();
  void begin_answer(Place& place);
  BodySource::State pull(const Place& place);
  void write();
  void write_later();
  void after_write();
  void count_memory();
  std::string let_go();
  void discard_rest();
  bool streams() const { return !places_.empty() && places_.front().response.source; }
  bool idle() const { return places_.empty() && in_.empty() && unwritten() == 0; }
  std::size_t unwritten() const { return out_.size() - written_; }
  std::size_t owed() const { return unwritten() + held_; }

  Fd socket_;
  Poller& poller_;
  Poller::Interest watched_;  // what the poller watches the socket for
  Gate& gate_;
  Caller caller_;
  Handler& handler_;
  ClientMemory::Part memory_;
  const Tick& now_;
  Closed closed_;

  RequestParser parser_;
  InBuffer in_;
  std::string out_;
  std::size_t written_ = 0;
  std::deque<Place> places_;
  std::size_t held_ = 0;  // bytes of the answers in places_ that are not begun
  std::uint64_t first_place_ = 0;

  // Of the last request whose body is handled while it arrives, until its answer has ended: what
  // follows waits until there is room for it.
  std::shared_ptr<BodySink> sink_;
  std::uint64_t sink_place_ = 0;

  // The refusal that is to be told late, as the last answer.
  struct Late {
    std::uint64_t place = 0;
    Response response{};
    Tick due = 0;
    std::shared_ptr<void> turn;
  };
  std::optional<Late> late_;

  Tick input_since_ = 0;  // when something arrived last, or began to be waited for
  Tick since_ = 0;  // of what check_time() measures: a request's first byte, the last progress of
                    // writing, the last answer
  bool reading_ = false;
  bool processing_ = false;
  bool waiting_writable_ = false;
  bool arrived_ = false;  // in this turn, and not looked at yet
  bool writes_later_ = false;
  bool partial_ = false;    // a request has begun to arrive
  bool admitted_ = false;   // and its header was looked at by the gate
  bool receiving_ = false;  // the body that sink_ takes; it belongs to the last place
  bool body_left_ = false;  // some of it waits in in_ for room
  bool dropping_ = false;   // what arrives is of no use to anybody
  bool no_more_ = false;    // takes no further request: the client is done, or was refused
  bool draining_ = false;
  bool discarding_ = false;
  bool broken_ = false;  // some of what is owed cannot be given any more: it closes at once
  bool open_ = true;
};

}  // namespace concur
