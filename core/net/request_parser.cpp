#include "net/request_parser.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>

namespace concur {

namespace http = boost::beast::http;

namespace {

RequestParser::Problem problem_of(const boost::beast::error_code& error) {
  if (error == http::error::header_limit) return {431, "its header has more than 8 KiB"};
  if (error == http::error::body_limit) return {413, "its body has more than 64 KiB"};
  if (error == http::error::bad_version) return {505, "it is not HTTP/1.1"};
  if (error == http::error::bad_transfer_encoding || error == http::error::bad_content_length) {
    return {400,
            "its body has no one length: it takes Content-Length or Transfer-Encoding: chunked"};
  }
  return {400, "it is not well-formed HTTP/1.1"};
}

// Whether a line does, as far as the head goes.
bool has_bare_line_end(std::string_view head) {
  head = head.substr(0, head.find("\r\n\r\n"));
  for (std::size_t at = head.find('\n'); at != std::string_view::npos;
       at = head.find('\n', at + 1)) {
    if (at == 0 || head[at - 1] != '\r') return true;
  }
  return false;
}

}  // namespace

void RequestParser::Grammar::on_request_impl(http::verb, string_view method, string_view target,
                                             int version, error_code& error) {
  into_.method_.assign(method.data(), method.size());
  into_.target_.assign(target.data(), target.size());
  version_ = static_cast<unsigned>(version);
  if (!target.empty() && target.front() != '/' && !into_.split_absolute_form()) {
    error = http::error::bad_target;
  }
}

void RequestParser::Grammar::on_field_impl(http::field name, string_view text, string_view value,
                                           error_code& error) {
  // Two of those could be taken for one or the other; RFC 9112, section 3.2, refuses two hosts.
  const auto keep = [&value, &error](std::optional<std::string>& into) {
    if (into) error = http::error::bad_field;
    into.emplace(value.data(), value.size());
  };
  if (name == http::field::host) {
    keep(into_.host_);
  } else if (name == http::field::origin) {
    into_.from_page_ = true;
  } else if (boost::beast::iequals(text, "x-api-key")) {
    keep(into_.key_);
  } else if (name == http::field::authorization) {
    into_.keep_bearer({value.data(), value.size()});
  } else if (boost::beast::iequals(text, "sec-fetch-site")) {
    // By its text, for Boost has known it since some version. Fetch Metadata: none where a person
    // asked, in the address bar.
    into_.from_page_ = into_.from_page_ || value != "none";
  }
  // Where a body of another coding ends is not known, and what would be taken for the next request
  // is a part of it (RFC 9112, section 6.3). Beside a Content-Length Beast refuses it.
  if (name == http::field::transfer_encoding &&
      (!boost::beast::iequals(value, "chunked") || version_ < 11)) {
    error = http::error::bad_transfer_encoding;
  }
  if (name == http::field::expect && boost::beast::iequals(value, "100-continue")) {
    into_.expects_continue_ = true;
  }
}

std::size_t RequestParser::Grammar::on_body_impl(string_view body, error_code&) {
  into_.body_.append(body.data(), body.size());
  return body.size();
}

void RequestParser::Grammar::on_chunk_header_impl(std::uint64_t size, string_view,
                                                  error_code& error) {
  if (!into_.has_room(size)) error = http::error::body_limit;
}

std::size_t RequestParser::Grammar::on_chunk_body_impl(std::uint64_t, string_view body,
                                                       error_code&) {
  into_.body_.append(body.data(), body.size());
  return body.size();
}

// "Bearer K" (RFC 6750, section 2.1); what is of another scheme is not meant for the daemon.
void RequestParser::keep_bearer(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (!boost::beast::iequals(authorization.substr(0, kScheme.size()), kScheme)) return;
  authorization.remove_prefix(kScheme.size());
  authorization.remove_prefix(std::min(authorization.find_first_not_of(' '), authorization.size()));
  if (bearer_) authorization = {};
  bearer_.emplace(authorization);
}

// "http://localhost:8080/healthz" names the host too (RFC 9112, section 3.2.2). False where that is
// no host.
bool RequestParser::split_absolute_form() {
  const std::string_view target = target_;
  std::size_t scheme = 0;
  for (const std::string_view known : {"http://", "https://"}) {
    if (boost::beast::iequals(target.substr(0, known.size()), known)) scheme = known.size();
  }
  if (scheme == 0) return true;
  const std::size_t end = std::min(target.find_first_of("/?#", scheme), target.size());
  authority_.emplace(target.substr(scheme, end - scheme));
  if (authority_->empty() || authority_->find('@') != std::string::npos) return false;
  target_.erase(0, end);
  if (target_.empty() && method_ == "OPTIONS") {
    target_.assign(1, '*');  // RFC 9112, section 3.2.4
  } else if (!target_.starts_with('/')) {
    target_.insert(0, 1, '/');
  }
  return true;
}

bool RequestParser::take_expectation() {
  if (!expects_continue_ || !parser_->is_header_done() || done()) return false;
  expects_continue_ = false;
  return true;
}

void RequestParser::reset() {
  constexpr std::size_t kKeptBody = 4096;
  method_.clear();
  target_.clear();
  body_.clear();
  if (body_.capacity() > kKeptBody) body_.shrink_to_fit();
  authority_.reset();
  host_.reset();
  key_.reset();
  bearer_.reset();
  from_page_ = false;
  expects_continue_ = false;
  how_ = Body::kWhole;
  problem_ = {};
  parser_.emplace(*this);
  parser_->header_limit(kMaxHeaderBytes);
  parser_->body_limit(boost::none);  // whether there is one is known behind the head
}

bool RequestParser::has_room(std::uint64_t more) const {
  return how_ == Body::kStreamed || more <= kMaxBodyBytes - body_.size();
}

void RequestParser::take_body(Body how) { how_ = how; }

std::size_t RequestParser::empty_lines(std::string_view bytes) {
  std::size_t size = 0;
  while (bytes.substr(size).starts_with("\r\n")) size += 2;
  return size;
}

std::size_t RequestParser::feed(std::string_view bytes) {
  std::size_t taken = 0;
  if (!parser_->got_some()) {
    taken = empty_lines(bytes);
    if (bytes.substr(taken) == "\r") return taken;
  }
  const bool head_was_done = head_done();
  if (head_was_done) {
    parser_->eager(true);
    if (!has_room(parser_->content_length_remaining().value_or(0))) {
      problem_ = problem_of(http::error::body_limit);
      return 0;
    }
  }
  bool has_part = false;  // of a line, which is left
  while (!done() && taken < bytes.size()) {
    boost::beast::error_code error;
    taken += parser_->put(boost::asio::buffer(bytes.data() + taken, bytes.size() - taken), error);
    has_part = error == http::error::need_more;
    if (error && !has_part) problem_ = problem_of(error);
    if (error || (head_done() && !head_was_done)) break;
  }
  // It may be one that would never end.
  if ((has_part || !head_done()) && has_bare_line_end(bytes.substr(taken))) {
    problem_ = {400, "a line ends with LF alone, and takes CR LF"};
  }
  return taken;
}

}  // namespace concur
