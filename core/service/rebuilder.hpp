#pragma once

#include "base/clock.hpp"
#include "service/committer.hpp"
#include "session/registry.hpp"

#include <cstdint>

namespace concur {

// Writes all that is in memory to a new database, where the files of the old one were taken away
// and cannot be read any more: in steps, so that heartbeats and lists are answered in between. For
// the loop thread alone.
class Rebuilder {
 public:
  static constexpr std::uint32_t kStep = 4096;  // slots looked at for one part

  // All must outlive it.
  Rebuilder(Registry& registry, Committer& committer, const Clock& clock)
      : registry_(registry), committer_(committer), clock_(clock) {}

  // To be called by Committer::Listener::files_unreadable(). Does nothing where it failed a short
  // while ago.
  void begin(const Now& now);

 private:
  void step();
  void end(bool worked);

  Registry& registry_;
  Committer& committer_;
  const Clock& clock_;
  CopyCursor cursor_;
  bool first_ = true;
  Instant began_;
  Instant not_before_;  // another attempt
};

}  // namespace concur
