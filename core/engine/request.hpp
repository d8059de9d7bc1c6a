#pragma once

#include "base/callback.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"
#include "engine/change.hpp"
#include "engine/reply.hpp"
#include "engine/scripts.hpp"
#include "engine/slot.hpp"

#include <boost/intrusive/list.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace concur::engine {

class Primary;

// Something that is asked of the primary of a slot, until it has an outcome. It may have one, such
// as that its time is over, while a server still has it: what comes then is of no use.
class Request : public boost::intrusive::list_base_hook<
                    boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  Request(Slot its_slot, Instant its_deadline) : slot(its_slot), deadline(its_deadline) {}
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  virtual ~Request() = default;

  // What a server is asked. Views of the request's own.
  using Words = std::vector<std::string_view>;
  virtual void put(Words& words) const = 0;
  // A command before that, which knows no redirects: where the other one is redirected, its answer
  // is not that of the slot's owner. False where there is none.
  virtual bool put_prelude(Words& words) const {
    (void)words;
    return false;
  }
  virtual bool take_prelude(Reply& reply) {  // false where it is malformed
    (void)reply;
    return false;
  }
  // The script that put() is the arguments of; none where it is a command.
  virtual std::optional<Script> script() const = 0;

  // Takes what a server answered, which is no error. kHeld: it is a change that is to be
  // acknowledged before settle() gives its outcome.
  enum class Taken { kDone, kHeld, kMalformed };
  virtual Taken take(Reply& reply) = 0;
  virtual void settle(bool replicated) { (void)replicated; }
  // It has no other outcome.
  virtual void fail(std::string_view cause) = 0;
  virtual void fail_full(std::string_view cause) { fail(cause); }
  // The engine's clock, as the answer that was taken had it.
  virtual std::optional<WallTime> told() const { return std::nullopt; }

  virtual bool is_done() const = 0;
  // Whether it waits for a replica, and so stands behind others that do.
  virtual bool is_acknowledged() const { return false; }
  virtual std::size_t size() const = 0;  // in bytes, about

  const Slot slot;
  const Instant deadline;

  // --- kept by whoever has it at the moment ---
  Primary* primary = nullptr;  // whose it is, while it is linked
  Instant entered{};           // since when
  Instant asked{};             // when it was sent last
  Instant resumes{};           // where it pauses: until when
  unsigned attempts = 0;       // that were in vain
  bool sent = false;           // to a server that may be executing it
  bool lost = false;           // an attempt was sent, and its answer never comes
  bool asking = false;         // the present attempt is by an ASK
  bool by_source = false;      // the server does not know the script: it gets its source
};

using RequestPtr = std::unique_ptr<Request>;

using OnChange = Callback<void(ChangeOutcome&&)>;
using OnRead = Callback<void(ReadOutcome&&)>;
using OnKeys = Callback<void(KeysOutcome&&)>;

class ChangeRequest final : public Request {
 public:
  ChangeRequest(const Change& change, Instant its_deadline, OnChange done);

  void put(Words& words) const override;
  std::optional<Script> script() const override { return script_; }
  Taken take(Reply& reply) override;
  void settle(bool replicated) override;
  void fail(std::string_view cause) override;
  void fail_full(std::string_view cause) override;
  std::optional<WallTime> told() const override { return held_.now; }
  bool is_done() const override { return !done_; }
  bool is_acknowledged() const override { return acknowledged_; }
  std::size_t size() const override { return size_; }

 private:
  ChangeOutcome failure(ChangeOutcome::Result result, std::string_view cause) const;
  void finish(ChangeOutcome&& outcome);

  Script script_;
  std::string key_;
  std::vector<std::string> arguments_;
  std::size_t size_ = 0;
  bool acknowledged_;
  ChangeOutcome held_;
  OnChange done_;
};

class ReadRequest final : public Request {
 public:
  // kRead or kReadAsPrimary.
  ReadRequest(Script script, std::string key, std::vector<std::string> fields, Instant its_deadline,
              OnRead done);

  void put(Words& words) const override;
  std::optional<Script> script() const override { return script_; }
  Taken take(Reply& reply) override;
  void fail(std::string_view cause) override;
  std::optional<WallTime> told() const override { return told_; }
  bool is_done() const override { return !done_; }
  std::size_t size() const override { return key_.size(); }

 private:
  Script script_;
  std::string key_;
  std::vector<std::string> fields_;
  WallTime told_{};
  OnRead done_;
};

// The keys of a slot; of one that is being moved those of both its servers, the one first that they
// leave. Whether it is being moved shows in how a key is answered that is not there.
class KeysRequest final : public Request {
 public:
  static constexpr unsigned kMaxKeys = 65'536;

  // Our keys, and no others, begin with the prefix.
  KeysRequest(std::string_view prefix, Slot its_slot, Instant its_deadline, OnKeys done);

  void put(Words& words) const override { words.push_back(absent_key_); }
  std::optional<Script> script() const override { return Script::kRead; }
  bool put_prelude(Words& words) const override;
  bool take_prelude(Reply& reply) override;
  Taken take(Reply& reply) override;
  void fail(std::string_view cause) override;
  bool is_done() const override { return !done_; }
  std::size_t size() const override { return absent_key_.size(); }

 private:
  std::string absent_key_;
  std::string number_;
  KeysOutcome outcome_;
  OnKeys done_;
};

// A command for the server that owns a slot, whoever that is: it knows no redirects.
class ServerRequest : public Request {
 public:
  using Request::Request;

  std::optional<Script> script() const override { return std::nullopt; }
  std::size_t size() const override { return 0; }
};

// Some keys of one server, from a cursor of its own on; where to go on is a cursor too.
class ScanRequest final : public ServerRequest {
 public:
  ScanRequest(Slot its_slot, std::uint64_t cursor, Instant its_deadline, OnKeys done);

  void put(Words& words) const override;
  Taken take(Reply& reply) override;
  void fail(std::string_view cause) override;
  bool is_done() const override { return !done_; }

 private:
  std::string cursor_;
  OnKeys done_;
};

// What a server of a cluster knows of all servers; why not, where it does not say.
using OnNodes = Callback<void(Result<std::string>&&), 32>;

class NodesRequest final : public ServerRequest {
 public:
  NodesRequest(Slot its_slot, Instant its_deadline, OnNodes done);

  void put(Words& words) const override;
  Taken take(Reply& reply) override;
  void fail(std::string_view cause) override;
  bool is_done() const override { return !done_; }

 private:
  OnNodes done_;
};

}  // namespace concur::engine
