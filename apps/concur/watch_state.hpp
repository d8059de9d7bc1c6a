#pragma once

#include "base/result.hpp"
#include "event_mark.hpp"

#include <optional>
#include <string>

namespace concur::cli {

// Remembers in a file up to which event all is done.
class WatchState {
 public:
  explicit WatchState(std::string path) : path_(std::move(path)) {}

  // Nothing where there is no file yet. kCorrupt, kForbidden or kInvalid where it cannot be read.
  Result<std::optional<EventMark>> load() const;

  // The file is the old one or the new one at any moment, also after a power cut. kUnavailable
  // where the disk takes nothing at present, else kForbidden or kInvalid.
  Result<void> save(const EventMark& mark) const;

 private:
  std::string path_;
};

}  // namespace concur::cli
