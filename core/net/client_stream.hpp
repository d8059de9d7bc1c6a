#pragma once

#include "base/result.hpp"
#include "net/client_answer.hpp"
#include "net/connect.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace concur {

// One request and its answer, both handled while they pass: for a caller that polls by itself,
// since nothing here waits. Made by Client::open(). The connection serves this request alone.
class ClientStream {
 public:
  enum class Body { kNone, kChunked };

  ClientStream(Connected connected, std::string_view method, std::string_view target, Body body);

  // What to poll fd() for; 0 where it is not to be polled at all, since the caller takes no answer
  // just now and nothing is to be sent.
  short events(bool takes_answer) const;
  int fd() const { return fd_.get(); }

  // A part of the body, of any size but 0; after the last, finish() ends the body. It is kept until
  // the connection takes it: unsent() says how much is.
  void write(std::string_view part);
  void finish();
  std::size_t unsent() const { return out_.size() - sent_; }

  // After a poll: sends what can be sent, and reads once where `takes_answer`. The errors are those
  // of Client::request() about the answer; whole lines that came before one are still there
  // to be taken.
  Result<void> advance(bool takes_answer);

  bool answered() const { return reader_->parser().is_header_done(); }  // from then on:
  int status() const { return reader_->parser().status(); }
  bool json() const { return reader_->parser().json(); }
  std::string take_body() { return reader_->parser().take_body(); }  // what came since the last
  bool done() const { return reader_->done(); }                      // that was all

  const std::string& path() const { return path_; }

 private:
  void send();

  Fd fd_;
  std::string path_;
  std::string out_;
  std::size_t sent_ = 0;  // of out_
  bool deaf_ = false;     // the peer takes nothing more; its answer may be there all the same
  std::unique_ptr<AnswerReader> reader_;  // stays where it is when this is moved
};

}  // namespace concur
