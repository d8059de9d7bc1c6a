#pragma once

#include "api/message.hpp"
#include "api/target.hpp"

#include <boost/container/static_vector.hpp>

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

// One line of the route table, which says who may do what.
struct Route {
  std::string_view method;
  std::string_view pattern;  // "/v1/users/{user}/sessions": braces match any one segment
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
