#pragma once

#include "api/message.hpp"
#include "api/target.hpp"

#include <boost/container/static_vector.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace concur {

class Api;

// What stands in a path where its pattern has braces, in order.
using Names = boost::container::static_vector<std::string_view, 2>;

struct Route;

// What a handler is called with: the request, its target, and what stood in the pattern's braces.
struct Call {
  const Request& request;
  const Target& target;
  Names names;
  const Route& route;
};

// "/v1/users/{user}/sessions": what is in braces matches any one segment. Split as it is compiled.
class Pattern {
 public:
  static constexpr std::size_t kMostSegments = 8;

  consteval Pattern(const char* text) : text_(text) {
    for (std::string_view rest = text_; !rest.empty();) {
      rest.remove_prefix(1);
      const std::string_view segment = rest.substr(0, rest.find('/'));
      segments_.at(count_++) = segment;
      rest.remove_prefix(segment.size());
    }
  }

  constexpr std::string_view text() const { return text_; }
  constexpr std::span<const std::string_view> segments() const {
    return {segments_.data(), count_};
  }

 private:
  std::string_view text_;
  std::array<std::string_view, kMostSegments> segments_{};
  std::size_t count_ = 0;
};

// One line of the route table, which says who may do what.
struct Route {
  std::string_view method;
  Pattern pattern;
  void (Api::*handler)(const Call& call, Handler::Respond respond);
  Role least;  // who may
  // Who may use what widens it, where something does: a limit that a start brings, the events of
  // all users.
  Role least_widened = Role::kOperator;
};

struct Match {
  const Route* route = nullptr;  // none where path or method match no route
  Names names;
  std::string allowed;  // the path's methods, where only the method did not match: "GET, PUT"
};

Match match(std::span<const Route> routes, std::string_view method, const Target& target);

}  // namespace concur
