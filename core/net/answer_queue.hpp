#pragma once

#include "api/message.hpp"
#include "base/in_order.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace concur {

// How the answer to a request is to be written.
struct AnswerForm {
  bool keep_alive = true;
  bool head_only = false;         // it is one to HEAD
  bool chunks = true;             // the client knows them
  bool expects_continue = false;  // the client waits for leave to send the body
};

// The answers that a client is owed, as the bytes that are to be sent next. They leave in the order
// of the requests, though they may come in any. Knows no socket. For the loop thread alone.
class AnswerQueue {
 public:
  static constexpr std::size_t kMaxPlaces = 128;                     // requests under way
  static constexpr std::size_t kMaxBytes = std::size_t{256} * 1024;  // here and not sent, about

  using Number = std::uint64_t;  // of a request

  // For a request just taken: its answer has its place behind all others.
  Number add(const AnswerForm& form);

  // The answer to that request, once. True where there may be something to send now.
  bool put(Number number, Response&& response);

  // The connection closes behind the answer to that request, which is not collected yet.
  void close_behind(Number number) { places_[number].form.keep_alive = false; }

  // Leave to send a body (RFC 9110, section 10.1.1), behind what is to be sent.
  void add_continue();

  // Makes bytes of what is ready, as far as the first answer that is not, or that a source gives.
  void collect();

  // Collects, and reads sources, no further than the client takes what they give.
  enum class Progress {
    kWaiting,  // for answers, or for a source; or there is nothing
    kMore,     // there is more at once than should be sent in one go
    kBroken,   // the rest of an answer cannot be given
  };
  Progress pull();

  std::string_view unsent() const { return std::string_view(out_).substr(sent_); }
  // So many bytes of unsent() are sent.
  void sent(std::size_t bytes);

  // Whether the answer to another request would have room. Behind one that may have no end there is
  // nothing to be answered.
  bool has_room() const {
    return out_.size() - sent_ + held_ < kMaxBytes &&
           (places_.empty() || (places_.size() < kMaxPlaces && !places_.back().response.source));
  }
  // Nothing is owed.
  bool empty() const { return places_.empty() && out_.empty(); }
  // Of the first answer that is not whole in unsent() yet, or of the next request.
  Number first() const { return places_.first(); }
  // What it takes of memory, here and where the answers are made.
  std::size_t memory() const;

  // The answer that is given now comes from a source.
  bool streams() const { return !places_.empty() && places_.front().response.source; }
  // The client has not been given leave to send the body of the last request.
  bool awaits_continue() const { return !places_.empty() && places_.back().form.expects_continue; }

  // The daemon stops: sources come to their end.
  void drain();

  // The client sends no more: sources that have no end of their own come to one.
  void on_client_end();
  bool client_ended() const { return client_ended_; }

  // Frees the memory; what was owed cannot be given any more.
  void drop_texts();
  // Drops the sources, and all else.
  void clear();

 private:
  struct Place {
    AnswerForm form;
    bool ready = false;
    bool begun = false;  // its head is in out_, and the source gives the rest
    Response response{};
  };

  void begin(Place& place);
  BodySource::State pull(const Place& place);

  InOrder<Place> places_;
  std::size_t held_ = 0;  // bytes of the answers in places_ that are not begun
  std::string out_;
  std::size_t sent_ = 0;  // of out_
  bool draining_ = false;
  bool client_ended_ = false;
};

}  // namespace concur
