#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace concur {

// Something that a check of the fleet found.
struct FleetFinding {
  enum class Severity : std::uint8_t {
    kNote,     // to know
    kWarning,  // it costs something, now or at the next failure
    kProblem   // to be mended: sessions are lost, or refused, or counted wrongly
  };

  Severity severity = Severity::kNote;
  std::vector<std::string> where;  // servers' addresses or boxes' labels; none: the whole
  std::string what;
  std::string why;                // it matters
  std::vector<std::string> mend;  // commands or steps, in order
};

// A server of the engine, as far as it could be asked.
struct FleetServer {
  std::string address;
  std::string role;                 // "primary" or "replica"; empty where it is not known
  std::string version;              // "valkey 8.1.0"; empty where it is not known
  std::string trouble;              // why it could not be asked; empty where it could
  std::vector<std::string> unread;  // commands that this user may not use there, and need not
};

struct FleetFindings {
  std::vector<FleetServer> servers;
  std::vector<FleetFinding> findings;  // the gravest first
};

// As it is shown: note, warning, problem.
constexpr std::string_view word_of(FleetFinding::Severity severity) {
  switch (severity) {
    case FleetFinding::Severity::kNote:
      return "note";
    case FleetFinding::Severity::kWarning:
      return "warning";
    case FleetFinding::Severity::kProblem:
      return "problem";
  }
  return "problem";
}

}  // namespace concur
