#pragma once

#include <boost/system/result.hpp>

#include <stdexcept>
#include <string>
#include <utility>

namespace concur {

// What kind of failure it is, for those who must choose an exit code or a status by it.
enum class ErrorKind {
  kInvalid,      // the caller's input is wrong: mending the input mends it
  kForbidden,    // the system refused permission
  kAbsent,       // the thing named is not there
  kUnavailable,  // it may work later: a full disk, a refused connection
  kTimeout,      // no answer in time: it may have happened, or may happen yet
  kUnsupported,  // not here; the message says what to do in its place
  kCorrupt,      // the thing is there, and damaged or not ours
  kInternal,     // a bug or a failure nothing else describes
};

// A failure that is to be expected. The message reads `cannot <verb> <object>: <cause>`.
struct Error {
  ErrorKind kind = ErrorKind::kInternal;
  std::string message;
};

[[noreturn]] inline void throw_exception_from_error(const Error& error,
                                                    const boost::source_location&) {
  throw std::runtime_error(error.message);
}

// Either a T or an Error. Ask with has_value() or has_error() before either is taken.
template <class T>
using Result = boost::system::result<T, Error>;

}  // namespace concur
