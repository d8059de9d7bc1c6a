#include "engine/request.hpp"

#include "base/text.hpp"

#include <charconv>
#include <cstdint>
#include <utility>

namespace concur::engine {

namespace {

template <class Outcome>
void call(Callback<void(Outcome&&)>& done, Outcome&& outcome) {
  const auto last = std::move(done);
  last(std::move(outcome));
}

KeysOutcome failed_keys(std::string_view cause) {
  KeysOutcome outcome;
  outcome.cause = cause;
  return outcome;
}

// Appends them; false where there is anything else among them.
bool take_texts(Reply& reply, std::vector<std::string>& texts) {
  if (!reply.is_array()) return false;
  for (Reply& each : reply.elements) {
    if (!each.is_text()) return false;
    texts.push_back(std::move(each.text));
  }
  return true;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, failed] = std::from_chars(text.data(), end, number);
  if (failed != std::errc() || rest != end) return std::nullopt;
  return number;
}

}  // namespace

// --- changes ---

ChangeRequest::ChangeRequest(const Change& change, Instant its_deadline, OnChange done)
    : Request(slot_of(change.key), its_deadline),
      script_(change.despite_full_memory ? Script::kChangeDespiteFull : Script::kChange),
      key_(change.key),
      arguments_(arguments_of(change)),
      acknowledged_(change.acknowledged),
      done_(std::move(done)) {
  size_ = key_.size();
  for (const std::string& argument : arguments_) size_ += argument.size();
}

void ChangeRequest::put(Words& words) const {
  words.push_back(key_);
  words.insert(words.end(), arguments_.begin(), arguments_.end());
}

Request::Taken ChangeRequest::take(Reply& reply) {
  auto outcome = parse_change(reply);
  if (!outcome) return Taken::kMalformed;
  held_ = std::move(*outcome);
  held_.repeated = lost;
  if (held_.result == ChangeOutcome::Result::kApplied && acknowledged_) return Taken::kHeld;
  settle(false);
  return Taken::kDone;
}

void ChangeRequest::settle(bool replicated) {
  held_.replicated = replicated;
  finish(std::move(held_));
}

void ChangeRequest::fail(std::string_view cause) {
  finish(failure(ChangeOutcome::Result::kUnavailable, cause));
}

void ChangeRequest::fail_full(std::string_view cause) {
  finish(failure(ChangeOutcome::Result::kFull, cause));
}

ChangeOutcome ChangeRequest::failure(ChangeOutcome::Result result, std::string_view cause) const {
  ChangeOutcome outcome;
  outcome.result = result;
  outcome.repeated = lost || sent;
  outcome.cause = cause;
  return outcome;
}

void ChangeRequest::finish(ChangeOutcome&& outcome) {
  unlink();
  call(done_, std::move(outcome));
}

// --- reads ---

ReadRequest::ReadRequest(Script script, std::string key, std::vector<std::string> fields,
                         Instant its_deadline, OnRead done)
    : Request(slot_of(key), its_deadline),
      script_(script),
      key_(std::move(key)),
      fields_(std::move(fields)),
      done_(std::move(done)) {}

void ReadRequest::put(Words& words) const {
  words.push_back(key_);
  words.insert(words.end(), fields_.begin(), fields_.end());
}

Request::Taken ReadRequest::take(Reply& reply) {
  auto outcome = parse_read(reply);
  if (!outcome) return Taken::kMalformed;
  told_ = outcome->now;
  unlink();
  call(done_, std::move(*outcome));
  return Taken::kDone;
}

void ReadRequest::fail(std::string_view cause) {
  unlink();
  ReadOutcome outcome;
  outcome.cause = cause;
  call(done_, std::move(outcome));
}

// --- keys ---

KeysRequest::KeysRequest(std::string_view prefix, Slot its_slot, Instant its_deadline, OnKeys done)
    : Request(its_slot, its_deadline),
      absent_key_(text::format("{}absent:{{{}}}", prefix, tag_of(its_slot))),
      number_(text::Digits(its_slot).view()),
      done_(std::move(done)) {}

bool KeysRequest::put_prelude(Words& words) const {
  static const std::string kMost(text::Digits(kMaxKeys).view());
  words.insert(words.end(), {"CLUSTER", "GETKEYSINSLOT", number_, kMost});
  return true;
}

// Behind an ASK, the keys of the server that the slot leaves are here already.
bool KeysRequest::take_prelude(Reply& reply) {
  if (!asking) outcome_.keys.clear();
  return take_texts(reply, outcome_.keys);
}

Request::Taken KeysRequest::take(Reply& reply) {
  if (!parse_read(reply)) return Taken::kMalformed;
  outcome_.available = true;
  if (slot + 1U < kSlots) outcome_.next = WalkPosition::by_slots(slot + 1U);
  unlink();
  call(done_, std::move(outcome_));
  return Taken::kDone;
}

void KeysRequest::fail(std::string_view cause) {
  unlink();
  call(done_, failed_keys(cause));
}

// --- of one server ---

ScanRequest::ScanRequest(Slot its_slot, std::uint64_t cursor, Instant its_deadline, OnKeys done)
    : ServerRequest(its_slot, its_deadline),
      cursor_(text::Digits(cursor).view()),
      done_(std::move(done)) {}

void ScanRequest::put(Words& words) const {
  words.insert(words.end(), {"SCAN", cursor_, "COUNT", "1000"});
}

// [cursor, [key…]]
Request::Taken ScanRequest::take(Reply& reply) {
  if (!reply.is_array() || reply.elements.size() != 2 || !reply.elements[0].is_text()) {
    return Taken::kMalformed;
  }
  const auto cursor = parse_number(reply.elements[0].text);
  KeysOutcome outcome;
  if (!cursor || !take_texts(reply.elements[1], outcome.keys)) return Taken::kMalformed;
  outcome.available = true;
  if (*cursor != 0) outcome.next = WalkPosition{*cursor};
  unlink();
  call(done_, std::move(outcome));
  return Taken::kDone;
}

void ScanRequest::fail(std::string_view cause) {
  unlink();
  call(done_, failed_keys(cause));
}

NodesRequest::NodesRequest(Slot its_slot, Instant its_deadline, OnNodes done)
    : ServerRequest(its_slot, its_deadline), done_(std::move(done)) {}

void NodesRequest::put(Words& words) const { words.insert(words.end(), {"CLUSTER", "NODES"}); }

Request::Taken NodesRequest::take(Reply& reply) {
  if (!reply.is_text()) return Taken::kMalformed;
  unlink();
  const auto last = std::move(done_);
  last(std::move(reply.text));
  return Taken::kDone;
}

void NodesRequest::fail(std::string_view cause) {
  unlink();
  const auto last = std::move(done_);
  last(Error{ErrorKind::kUnavailable, std::string(cause)});
}

}  // namespace concur::engine
