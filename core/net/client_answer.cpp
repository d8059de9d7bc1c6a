#include "net/client_answer.hpp"

#include "base/duration.hpp"
#include "base/text.hpp"
#include "net/connect.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace concur {

namespace {

namespace http = boost::beast::http;

Error unreadable(const boost::system::error_code& code, const std::string& path) {
  const std::string_view cause = code == http::error::partial_message
                                     ? "it was cut off; look at the daemon's log"
                                 : code == http::error::body_limit
                                     ? "it is larger than 64 MiB"
                                     : "it is not HTTP; name concurrencyd's socket with --socket";
  return {ErrorKind::kCorrupt, text::format("cannot read the answer from {}: {}", path, cause)};
}

}  // namespace

Result<void> AnswerReader::read(int fd, const std::string& path) {
  const ssize_t got = ::recv(fd, buffer_ + filled_, kReadSize - filled_, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {};
  boost::beast::error_code code;
  if (got > 0) {
    filled_ += static_cast<std::size_t>(got);
    const std::size_t used = parser_.put(boost::asio::buffer(buffer_, filled_), code);
    filled_ -= used;
    std::memmove(buffer_, buffer_ + used, filled_);
  } else if (got == 0 && parser_.is_header_done()) {
    parser_.put_eof(code);
  } else if (parser_.got_some() || filled_ > 0) {
    code = http::error::partial_message;
  } else {
    return Error{ErrorKind::kUnavailable,
                 text::format("cannot get an answer from {}: it closed the connection; look at "
                              "the daemon's log",
                              path)};
  }
  if (code && code != http::error::need_more) return unreadable(code, path);
  if (parser_.is_header_done() && parser_.status() < 200) {
    return unreadable(http::error::bad_status, path);
  }
  return {};
}

Error no_answer_within(Millis timeout, const std::string& path) {
  return {ErrorKind::kTimeout, text::format("cannot get an answer from {}: none within {}; {}",
                                            path, format_duration(timeout), kStuckHint)};
}

}  // namespace concur
