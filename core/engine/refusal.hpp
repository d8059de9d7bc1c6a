#pragma once

#include "engine/address.hpp"
#include "engine/slot.hpp"

#include <optional>
#include <string_view>

namespace concur::engine {

// What an error that a server answers with means for the command, by its first word.
enum class Refusal {
  kMoved,        // another primary owns the slot: it is named
  kAsk,          // this once, another primary is to be asked: it is named
  kReadOnly,     // it is a replica by now
  kMasterDown,   // it is a replica, and has lost its primary
  kLoading,      // it has just started
  kClusterDown,  // some slot has no primary, or it is cut off from the others
  kTryAgain,     // the slot is being moved
  kBusy,         // a script keeps it from all else
  kNoScript,     // it does not know the script
  kFull,         // its memory is full (OOM)
  kMisconf,      // it cannot write its own file, and so takes no changes
  kNoReplicas,   // too few replicas follow it for its configuration
  kUnblocked,    // a WAIT was given up
  kNoAccess,     // user and password, or what that user may do
  kOther,
};

Refusal refusal_of(std::string_view error);

// What of its effect is certain: the command was not executed, and is tried again a little later.
bool is_passing(Refusal refusal);

// "MOVED 3999 127.0.0.1:6381", and the same with ASK.
struct Redirect {
  Slot slot = 0;
  Address to;
};

// A redirect without a host is to another port of the server that gave it. None where the text is
// not well-formed.
std::optional<Redirect> parse_redirect(std::string_view error, const Address& from);

}  // namespace concur::engine
