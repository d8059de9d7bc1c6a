#include "net/request_parser.hpp"

#include "api/raw_query.hpp"
#include "base/base64.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <span>
#include <utility>

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

// Of "user:password" in base64; empty where it is no such thing.
std::string password_of(std::string_view credentials) {
  const auto decoded = decode_base64(credentials);
  const std::size_t colon = decoded ? decoded->find(':') : std::string::npos;
  return colon == std::string::npos ? std::string() : decoded->substr(colon + 1);
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
  into_.entrance_ = entrance_of(into_.target_);
}

void RequestParser::Grammar::on_field_impl(http::field name, string_view text, string_view value,
                                           error_code& error) {
  // Two of those could be taken for one or the other; RFC 9112, section 3.2, refuses two hosts.
  const auto keep = [&value, &error](std::optional<std::string>& into) {
    if (into) error = http::error::bad_field;
    into.emplace(value.data(), value.size());
  };
  // Two that contradict each other are of no page of ours.
  const auto keep_one = [&value](std::optional<std::string>& into) {
    const bool another = into && *into != std::string_view(value.data(), value.size());
    into.emplace(value.data(), another ? 0 : value.size());
  };
  if (keeps_fields(into_.entrance_)) {
    into_.keep_field({text.data(), text.size()}, {value.data(), value.size()});
  }
  if (name == http::field::host) {
    keep(into_.host_);
  } else if (name == http::field::origin) {
    keep_one(into_.origin_);
  } else if (boost::beast::iequals(text, "x-api-key")) {
    keep(into_.key_);
  } else if (name == http::field::authorization) {
    into_.keep_authorization({value.data(), value.size()});
  } else if (boost::beast::iequals(text, "sec-fetch-site")) {
    keep_one(into_.fetch_site_);  // by its text, for Boost has known it since some version
  } else if (boost::beast::iequals(text, "sec-fetch-mode")) {
    into_.navigates_ = value == "navigate";
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

// The header's bound is that of all its fields.
void RequestParser::keep_field(std::string_view name, std::string_view value) {
  field_text_.reserve(kMaxHeaderBytes);
  const std::size_t begin = field_text_.size();
  field_text_.append(name).append(value);
  for (char& c : std::span(field_text_).subspan(begin, name.size())) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  const std::string_view both = std::string_view(field_text_).substr(begin);
  fields_.push_back({both.substr(0, name.size()), both.substr(name.size())});
}

// "Bearer K" (RFC 6750, section 2.1), and of a media server the password of "Basic ..." (RFC 7617);
// what is of another scheme is not meant for the daemon, and what a proxy passes on is its
// viewer's.
void RequestParser::keep_authorization(std::string_view authorization) {
  constexpr std::string_view kBearer = "bearer ";
  constexpr std::string_view kBasic = "basic ";
  if (entrance_ == Entrance::kAuthorize) return;
  const auto begins_with = [&authorization](std::string_view scheme) {
    return boost::beast::iequals(authorization.substr(0, scheme.size()), scheme);
  };
  const bool is_basic = entrance_ == Entrance::kHook && begins_with(kBasic);
  if (!is_basic && !begins_with(kBearer)) return;
  authorization.remove_prefix(is_basic ? kBasic.size() : kBearer.size());
  authorization.remove_prefix(std::min(authorization.find_first_not_of(' '), authorization.size()));
  std::string key = is_basic ? password_of(authorization) : std::string(authorization);
  if (bearer_) key.clear();
  bearer_ = std::move(key);
}

// Media servers can bring no other: the first, for some append their viewers' own behind it.
void RequestParser::keep_key_of_target() {
  if (entrance_ != Entrance::kHook || bearer_) return;
  const std::size_t mark = target_.find('?');
  if (mark == std::string::npos) return;
  bearer_ = parameter(std::string_view(target_).substr(mark + 1), "key").value;
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
  origin_.reset();
  fetch_site_.reset();
  navigates_ = false;
  entrance_ = Entrance::kApi;
  field_text_.clear();
  fields_.clear();
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
