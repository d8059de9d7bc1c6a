#pragma once

#include "net/gate.hpp"

#include <boost/beast/http/basic_parser.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace concur {

// Reads HTTP/1 requests out of a stream of bytes, one after another, with Boost.Beast's grammar and
// none of its containers: of the fields only what the daemon uses is kept.
class RequestParser {
 public:
  static constexpr std::size_t kMaxHeaderBytes = std::size_t{8} * 1024;
  static constexpr std::size_t kMaxBodyBytes = std::size_t{64} * 1024;

  // What went wrong, as a status to answer with and a cause; status 0 where nothing did.
  struct Problem {
    int status = 0;
    std::string_view cause;
  };

  RequestParser() { reset(); }

  // Takes bytes from the front of `bytes` and says how many: once up to the end of a request's
  // head, then up to the end of its body. What it leaves must come again, in front of what arrives
  // later. After a problem no more may be fed.
  std::size_t feed(std::string_view bytes);

  // How many bytes in front of `bytes` are empty lines, which feed() passes over before a request
  // begins (RFC 9112, section 2.2).
  static std::size_t empty_lines(std::string_view bytes);

  // How the body is to be taken; said between the head and the body, where it is not kWhole.
  enum class Body {
    kWhole,     // body() has all of it in the end
    kStreamed,  // body() has what the last feed() took, whoever takes it clears it; no bound
  };
  void take_body(Body how);
  void clear_body() { body_.clear(); }

  const Problem& problem() const { return problem_; }
  bool done() const { return parser_->is_done(); }
  // True, once, where the client waits for leave to send the body (Expect: 100-continue; RFC 9110,
  // section 10.1.1).
  bool take_expectation();

  // Of a request whose head is done; views until reset().
  std::string_view method() const { return method_; }
  // Of one in absolute form what stands behind the authority.
  std::string_view target() const { return target_; }
  std::string_view body() const { return body_; }
  std::size_t capacity() const {
    return body_.capacity() + field_text_.capacity() + fields_.capacity() * sizeof(Field);
  }
  bool keep_alive() const { return parser_->keep_alive() && parser_->version() >= 11; }
  bool head_done() const { return parser_->is_header_done(); }
  // What the head says of who sends it.
  Credentials credentials() const {
    return {authority_ ? authority_ : host_,
            key_,
            {origin_, fetch_site_, navigates_},
            bearer_,
            entrance_};
  }
  // Its fields in their order, where keeps_fields(entrance_of(target())).
  std::span<const Field> fields() const { return fields_; }
  bool takes_chunks() const { return parser_->version() >= 11; }

  // Makes ready for the next request.
  void reset();

 private:
  class Grammar final : public boost::beast::http::basic_parser<true> {
   public:
    explicit Grammar(RequestParser& into) : into_(into) {}
    unsigned version() const { return version_; }

   private:
    using error_code = boost::beast::error_code;
    using string_view = boost::beast::string_view;

    void on_request_impl(boost::beast::http::verb, string_view method, string_view target,
                         int version, error_code&) override;
    void on_response_impl(int, string_view, int, error_code&) override {}
    void on_field_impl(boost::beast::http::field name, string_view text, string_view value,
                       error_code& error) override;
    void on_header_impl(error_code&) override { into_.keep_key_of_target(); }
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    std::size_t on_body_impl(string_view body, error_code&) override;
    void on_chunk_header_impl(std::uint64_t size, string_view, error_code& error) override;
    std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code&) override;
    void on_finish_impl(error_code&) override {}

    RequestParser& into_;
    unsigned version_ = 11;
  };

  bool split_absolute_form();
  void keep_field(std::string_view name, std::string_view value);
  void keep_authorization(std::string_view authorization);
  void keep_key_of_target();
  bool has_room(std::uint64_t more) const;

  std::optional<Grammar> parser_;
  Problem problem_;
  std::string method_;
  std::string target_;
  std::string body_;
  std::optional<std::string> authority_;  // of the target, which goes before the field Host
  std::optional<std::string> host_;
  std::optional<std::string> key_;
  std::optional<std::string> bearer_;  // empty where there are two, for either could be meant
  std::optional<std::string> origin_;
  std::optional<std::string> fetch_site_;
  bool navigates_ = false;
  Entrance entrance_ = Entrance::kApi;
  std::string field_text_;  // what fields_ look into: it never grows beyond what is reserved
  std::vector<Field> fields_;
  bool expects_continue_ = false;
  Body how_ = Body::kWhole;
};

}  // namespace concur
