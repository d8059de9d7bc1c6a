#pragma once

#include "api/message.hpp"
#include "api/target.hpp"

#include <span>
#include <string_view>
#include <vector>

namespace concur {

class Api;

// What a handler is called with: the request, its target, and what stood in the pattern's braces,
// in order.
struct Call {
  const Request& request;
  const Target& target;
  std::vector<std::string_view> names;
};

// One line of the route table.
struct Route {
  std::string_view method;
  std::string_view
      pattern;  // "/v1/users/{user}/sessions"; what is in braces matches any one segment
  Role least;   // who may
  void (Api::*handler)(const Call& call, Handler::Respond respond);
};

struct Match {
  const Route* route = nullptr;  // none where path or method match no route
  std::vector<std::string_view> names;
  std::string allowed;  // the path's methods, where only the method did not match: "GET, PUT"
};

Match match(std::span<const Route> routes, std::string_view method, const Target& target);

}  // namespace concur
