#pragma once

#include "load/cluster.hpp"
#include "load/pacer.hpp"
#include "load/work.hpp"

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace concur::bench {

enum class Protocol : std::uint8_t { http, segments, resp, cluster, postgres, echo };

/// How the requests of one connection follow each other.
enum class Flow : std::uint8_t {
  window,  // the next is sent as soon as one is answered
  burst,   // the next ones are sent together when all are answered
  batch,   // as burst, and all are one request of HTTP
};

struct Options {
  Servers servers;
  Protocol protocol = Protocol::http;
  WorkKind work = WorkKind::start;
  unsigned connections = 50;
  unsigned pipeline = 1;
  Flow flow = Flow::window;
  Pace pace;
  std::uint32_t users = 100'000;
  std::uint32_t first_user = 0;
  unsigned limit = 3;
  std::uint64_t seed = 1;
  std::chrono::seconds lease{90};
  std::string scripts;
  bool prepares = true;
  std::uint64_t sessions = 0;
  bool by_second = false;
  bool help = false;

  /// The sessions that the work needs before it begins.
  [[nodiscard]] std::uint64_t prepared() const;
};

class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

extern const std::string_view kHelp;

std::string_view name_of(Protocol protocol);
std::string_view name_of(WorkKind work);

/// Throws UsageError.
Options parse_options(int argc, char** argv);

}  // namespace concur::bench
