#pragma once

#include "command.hpp"

#include <string>
#include <string_view>

namespace concur::cli {

struct Request {
  std::string_view method;
  std::string target;
  std::string body;  // empty: none
};

Request request_of(const Start& start);
Request request_of(const Heartbeat& heartbeat);
Request request_of(const End& end);
Request request_of(const Purge& purge);
Request request_of(const Status& status);

// The page of the list that follows `after`, the first where it is empty.
Request request_of(const List& list, std::string_view after);

}  // namespace concur::cli
