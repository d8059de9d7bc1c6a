#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct redisReader;

namespace concur::engine {

// What a server answers, in RESP2: one of these kinds, arrays of which nest.
struct Reply {
  enum class Kind { kNil, kInteger, kText, kStatus, kError, kArray };

  Kind kind = Kind::kNil;
  std::int64_t integer = 0;
  std::string text;  // of a text, a status or an error
  std::vector<Reply> elements;

  bool is_error() const { return kind == Kind::kError; }
  bool is_integer() const { return kind == Kind::kInteger; }
  bool is_text() const { return kind == Kind::kText; }
  bool is_array() const { return kind == Kind::kArray; }
  bool operator==(const Reply&) const = default;
};

// Takes a server's bytes and gives its replies (hiredis' redisReader). Bounded, whatever the server
// sends: what exceeds a bound, and what is no RESP2, ends it.
class ReplyReader {
 public:
  // A user's hash at its most has some 3,000 fields, a slot's keys are asked for by the 65,536.
  static constexpr std::size_t kMaxElements = std::size_t{1}
                                              << 18U;  // of one reply, nested ones too
  static constexpr std::size_t kMaxDepth = 7;          // of arrays; CLUSTER SLOTS has four
  static constexpr std::size_t kMaxBytes = std::size_t{32} << 20U;  // of one reply

  ReplyReader();
  ReplyReader(const ReplyReader&) = delete;
  ReplyReader& operator=(const ReplyReader&) = delete;
  ~ReplyReader();

  // False once it has failed.
  bool feed(std::string_view bytes);

  // The next reply that is whole; none where there is none yet, or no more.
  std::optional<Reply> next();

  // Why it takes no more; empty as long as it does.
  const std::string& failure() const { return failure_; }

 private:
  struct Deleter {
    void operator()(redisReader* reader) const;
  };
  struct Builder;

  std::unique_ptr<Builder> builder_;  // outlives the reader, which calls it
  std::unique_ptr<redisReader, Deleter> reader_;
  std::size_t unread_ = 0;  // at most as many bytes belong to the reply that is not whole yet
  std::string failure_;
};

// Appends a command as RESP has it (hiredis' redisFormatCommandArgv).
void append_command(std::string& out, std::span<const std::string_view> words);

}  // namespace concur::engine
