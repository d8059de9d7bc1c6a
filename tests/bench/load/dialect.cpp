#include "load/dialect.hpp"

#include <cstring>

namespace concur::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using std::chrono::system_clock;

// Taken once: reading a second clock for each request would cost one side of a comparison more.
milliseconds wall_time(steady_clock::time_point now) {
  static const auto kOffset =
      system_clock::now().time_since_epoch() - steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<milliseconds>(now.time_since_epoch() + kOffset);
}

}  // namespace

int status_of_count(long count, Operation operation) {
  switch (operation) {
    case Operation::start:
      return count > 0 ? 201 : 409;
    case Operation::heartbeat:
      return count == 1 ? 200 : 410;
    case Operation::end:
      return count == 1 ? 200 : 404;
  }
  return kMalformed;
}

char* RequestTemplate::write(std::uint32_t user, std::uint64_t serial, const SessionNames& names,
                             steady_clock::time_point now, char* out) const {
  std::memcpy(out, bytes.data(), bytes.size());
  write_user(user, out + user_at);
  names.write(serial, out + session_at);
  if (time_at != kNoTime) {
    write_time(wall_time(now), out + time_at);
  }
  return out + bytes.size();
}

}  // namespace concur::bench
