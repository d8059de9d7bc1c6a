#pragma once

#include "command.hpp"

#include <string>
#include <string_view>

namespace concur::cli {

// Bytes of options that are not UTF-8 pass as they are: the daemon judges them.
struct Request {
  std::string_view method;
  std::string target;
  std::string body;  // empty: none
  Millis wait{};     // for so long the daemon may wait before it can answer, beside the timeout
};

Request request_of(const Start& start);
Request request_of(const Explain& explain);
Request request_of(const Heartbeat& heartbeat);
Request request_of(const End& end);
Request request_of(const Purge& purge);
Request request_of(const Report& report);
Request request_of(const Status& status);
Request request_of(const FleetCheck& check);
Request request_of(const FleetShow& show);
Request request_of(const LimitGet& get);
Request request_of(const LimitSet& set);
Request request_of(const LimitUnset& unset);
Request request_of(const PlanSet& set);
Request request_of(const PlanUnset& unset);
Request request_of(const PlanList& list);
Request request_of(const Block& block);
Request request_of(const Unblock& unblock);
Request request_of(const Watch& watch);
Request request_of(const Backup& backup);
Request request_of(const Batch& batch);  // its body is what standard input holds

// The page of the list that follows `after`, the first where it is empty.
Request request_of(const List& list, std::string_view after);
Request request_of(const LimitList& list, std::string_view after);
Request request_of(const BlockList& list, std::string_view after);

}  // namespace concur::cli
