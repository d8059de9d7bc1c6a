#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace concur {

// Who asks, as far as the routes care. Each may do what those before it may.
enum class Role { kClient, kOperator };

// One HTTP request. Views that live through the call which hands it over, no longer.
struct Request {
  std::string_view method;
  std::string_view target;  // path and query, as sent
  std::string_view body;
  Role role = Role::kClient;
};

struct Response {
  int status = 200;
  std::string body;
  std::string_view content_type = "application/json";  // of static storage
  std::string headers;                                 // further ones, each line ended by CR LF
};

// Answers requests. For the loop thread alone.
class Handler {
 public:
  // Gets the response once, on the loop thread; may be called at once or much later, or never where
  // the daemon stops.
  using Respond = std::function<void(Response)>;

  virtual ~Handler() = default;
  virtual void handle(const Request& request, Respond respond) = 0;
};

}  // namespace concur
