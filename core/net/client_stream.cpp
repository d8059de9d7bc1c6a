#include "net/client_stream.hpp"

#include "base/text.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

namespace concur {

ClientStream::ClientStream(Connected connected, std::string_view method, std::string_view target,
                           Body body)
    : fd_(std::move(connected.fd)),
      path_(std::move(connected.path)),
      out_(text::format("{} {} HTTP/1.1\r\nHost: concurrencyd\r\nConnection: close\r\n", method,
                        target)),
      reader_(std::make_unique<AnswerReader>(AnswerParser::Body::kStreamed)) {
  if (body == Body::kChunked) {
    out_ += "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n";
  }
  out_ += "\r\n";
}

short ClientStream::events(bool takes_answer) const {
  return static_cast<short>((takes_answer ? POLLIN : 0) | (unsent() > 0 ? POLLOUT : 0));
}

void ClientStream::write(std::string_view part) {
  if (deaf_) return;
  out_ += text::format("{:x}\r\n{}\r\n", part.size(), part);
}

void ClientStream::finish() {
  if (!deaf_) out_ += "0\r\n\r\n";
}

Result<void> ClientStream::advance(bool takes_answer) {
  send();
  if (!takes_answer || done()) return {};
  return reader_->read(fd_.get(), path_);
}

// A peer that closed counts as served: one that refuses a request unread has answered before.
void ClientStream::send() {
  while (unsent() > 0) {
    const ssize_t sent = ::send(fd_.get(), out_.data() + sent_, unsent(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return;
    if (sent < 0) deaf_ = true;
    sent_ = sent < 0 ? out_.size() : sent_ + static_cast<std::size_t>(sent);
  }
  out_.clear();
  sent_ = 0;
}

}  // namespace concur
