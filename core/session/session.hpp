#pragma once

#include "base/clock.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace concur {

// What the client told about a session beside its name. Empty means not told; meta is a JSON
// object's text.
struct Details {
  std::string device;
  std::string ip;
  std::string content;
  std::string meta;

  bool empty() const { return device.empty() && ip.empty() && content.empty() && meta.empty(); }
  bool operator==(const Details&) const = default;
};

// A session as the store keeps it, its times on the boot clock of now.
struct Row {
  std::int64_t id = 0;  // ascends with each start; never used again
  std::string user;
  std::string session;
  Instant started;
  Instant last_seen;
  Instant expires;
  Millis ttl{};
  std::unique_ptr<Details> details;  // none where nothing was told
};

// Who took an evicted session's place.
struct EvictedBy {
  std::string session;
  std::string device;  // empty where it told none
};

// Why a session is no longer active.
enum class EndReason : std::uint8_t { kEnded, kExpired, kEvicted, kPurged };

}  // namespace concur
