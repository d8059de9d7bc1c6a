#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/system/error_code.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace concur {

inline constexpr std::size_t kMaxAnswerBody = std::size_t{64} * 1024 * 1024;

struct HttpAnswer {
  int status = 0;     // 200 to 599; whoever asked judges it
  bool json = false;  // whether it names JSON, or JSON by line, as its type
  std::string body;
};

// Keeps of an answer what a caller needs, and no header fields.
class AnswerParser final : public boost::beast::http::basic_parser<false> {
 public:
  enum class Body { kWhole, kStreamed };  // the latter has no limit in all

  explicit AnswerParser(Body body = Body::kWhole) {
    if (body == Body::kWhole) {
      body_limit(kMaxAnswerBody);
    } else {
      body_limit(boost::none);
    }
    header_limit(kMaxHead);
    eager(true);
  }

  int status() const { return answer_.status; }  // 0 before it is known
  bool json() const { return answer_.json; }
  HttpAnswer take() { return std::move(answer_); }

  // What came of the body since it was last taken, for an answer without an end to wait for.
  std::string take_body() { return std::exchange(answer_.body, {}); }

 private:
  using Code = boost::beast::error_code;
  using Text = boost::beast::string_view;

  static constexpr std::uint32_t kMaxHead = 8 * 1024;

  void on_request_impl(boost::beast::http::verb, Text, Text, int, Code&) override {}
  void on_response_impl(int status, Text, int, Code&) override { answer_.status = status; }
  void on_field_impl(boost::beast::http::field name, Text, Text value, Code&) override {
    if (name == boost::beast::http::field::content_type) {
      answer_.json =
          value.starts_with("application/json") || value.starts_with("application/x-ndjson");
    }
  }
  void on_header_impl(Code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, Code&) override {
    if (length) answer_.body.reserve(std::min<std::uint64_t>(*length, kMaxAnswerBody));
  }
  std::size_t on_body_impl(Text part, Code&) override {
    answer_.body.append(part.data(), part.size());
    return part.size();
  }
  void on_chunk_header_impl(std::uint64_t, Text, Code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, Text part, Code& code) override {
    return on_body_impl(part, code);
  }
  void on_finish_impl(Code&) override {}

  HttpAnswer answer_;
};

// Bytes that arrived on a connection, on their way into a parser.
class AnswerReader {
 public:
  explicit AnswerReader(AnswerParser::Body body) : parser_(body) {}

  // Reads once from the connection of `fd`, which does not wait. The errors are those of
  // Client::request() about the answer.
  Result<void> read(int fd, const std::string& path);

  bool done() const { return parser_.is_done(); }

  // Whether the connection can serve another request, after done().
  bool reusable() const { return filled_ == 0 && parser_.keep_alive(); }

  AnswerParser& parser() { return parser_; }
  const AnswerParser& parser() const { return parser_; }

 private:
  static constexpr std::size_t kReadSize = std::size_t{16} * 1024;  // room for a whole head

  AnswerParser parser_;
  std::size_t filled_ = 0;
  char buffer_[kReadSize];
};

Error no_answer_within(Millis timeout, const std::string& path);

}  // namespace concur
