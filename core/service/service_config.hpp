#pragma once

#include "session/policy.hpp"

namespace concur {

// What can change while a service runs.
struct ServiceConfig {
  Policy policy;
  Millis history = kDefaultHistory;  // how long the record of who shares is kept
};

}  // namespace concur
