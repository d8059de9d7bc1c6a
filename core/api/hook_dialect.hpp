#pragma once

#include "api/message.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"
#include "session/answer.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace concur {

// The callbacks of media servers: how each says that somebody plays, and what it takes for a yes.

// What a media server tells of a stream.
struct HookEvent {
  enum class Verb : std::uint8_t {
    kPlay,    // somebody begins to watch: a start
    kUpdate,  // goes on watching: a start or renewal that revives nobody
    kEnd,
    kPass,    // none of our business: allowed, and not counted
    kRefuse,  // none either, and allowed to nobody unless the URL says so
  };

  Verb verb = Verb::kPass;
  std::string session{};  // empty where it has none
  std::string device{};
  std::string ip{};
  std::string content{};
  std::string uri{};  // of the stream, with the viewer's own parameters
};

// The fields of a callback, the first of a name.
class HookFields {
 public:
  explicit HookFields(std::span<const Field> fields) : fields_(fields) {}

  std::string_view operator[](std::string_view name) const;

 private:
  std::span<const Field> fields_;
};

// What came of it.
struct HookOutcome {
  enum class Kind : std::uint8_t { kAllowed, kDone, kPassed, kDenied, kUnknownUser, kUndecided };

  Kind kind = Kind::kPassed;
  std::string message{};              // why, where it is not allowed
  std::string user{};                 // who is allowed
  std::optional<Millis> ask_again{};  // until the next sign of life, of who is allowed
};

HookOutcome outcome_of(const Result<Answer>& answer);

struct HookDialect {
  enum class Format : std::uint8_t { kJson, kForm };

  std::string_view name;
  Format format;
  // Of a form: its own names, with spaces between them. What comes before them in a URL is the
  // operator's, what comes behind may be a viewer's.
  std::string_view own;
  // Where it gives no sign of life: how long what it starts counts.
  std::optional<Millis> ttl;
  // `form` is the text that the fields were read from, with the viewer's behind its own; `also`
  // what the URL says is allowed besides.
  HookEvent (*read)(const HookFields& fields, std::string_view form, std::string_view also);
  Response (*answer)(const HookOutcome& outcome);
};

std::span<const HookDialect> hook_dialects();
const HookDialect* find_hook_dialect(std::string_view name);

// Whether the word is one of those that the separators part.
bool lists(std::string_view words, char separator, std::string_view word);

}  // namespace concur
