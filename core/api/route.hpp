#pragma once

#include "api/message.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace concur {

class Api;

// "/v1/users/{user}/sessions": what is in braces matches any one segment, {tail} all that follows
// (see routed_part). Split as it is compiled.
class Pattern {
 public:
  static constexpr std::size_t kMaxSegments = 8;

  consteval Pattern(const char* text) : text_(text) {
    for (std::string_view rest = text_; !rest.empty();) {
      rest.remove_prefix(1);
      const std::string_view segment = rest.substr(0, rest.find('/'));
      segments_.at(count_++) = segment;
      names_user_ = names_user_ || segment == "{user}";
      rest.remove_prefix(segment.size());
    }
  }

  constexpr std::string_view text() const { return text_; }
  constexpr std::span<const std::string_view> segments() const {
    return {segments_.data(), count_};
  }
  // Whether a user's name stands in it, which is then the first of its names.
  constexpr bool names_user() const { return names_user_; }

 private:
  std::string_view text_;
  std::array<std::string_view, kMaxSegments> segments_{};
  std::size_t count_ = 0;
  bool names_user_ = false;
};

// What a route does with a call. Its type says how the request's body is taken.
struct Action {
  using Whole = void (Api::*)(const Call& call, Handler::Respond respond);
  // While it arrives: by what is returned, as Handler::handle() does.
  using Streamed = std::shared_ptr<BodySink> (Api::*)(const Call& call, Handler::Respond respond);

  constexpr Action(Whole function) : whole(function) {}
  constexpr Action(Streamed function) : streamed(function) {}

  Whole whole = nullptr;
  Streamed streamed = nullptr;
};

// What a request may bring, beside what stands in its path.
struct Input {
  std::string_view query{};     // the names of parameters, with spaces between them
  bool body = false;            // a body
  bool ignores_others = false;  // anything; what is not known is passed over
  bool of_viewers = false;      // what proxies and media servers pass on, with all its fields
};

// One line of the route table, which says who may do what.
struct Route {
  std::string_view method;
  Pattern pattern;
  Action action;
  Role least;  // who may
  Input takes{};
  // Who may use what widens it, where something does: a limit that a start brings, the events of
  // all users.
  Role least_widened = Role::kOperator;
};

// What a target is routed by: all of it, but where it goes on with what others wrote, which need
// not be well formed.
std::string_view routed_part(std::string_view target);

// The route for a method and a path, and the names in it; null where there is none. HEAD is
// answered wherever GET is (RFC 9110, section 9.3.2).
const Route* match(std::span<const Route> routes, std::string_view method, const Target& target,
                   Names& names);

// The methods that a path takes, for the field Allow: "GET, HEAD, OPTIONS". Empty where it is the
// path of no route.
std::string allowed_methods(std::span<const Route> routes, const Target& target);
// Those that any path takes.
std::string allowed_methods(std::span<const Route> routes);

}  // namespace concur
