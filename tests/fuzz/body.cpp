// JSON bodies: what is taken is within its bounds and would be taken from the database too, what is
// refused is told in JSON. The first byte chooses the kind of body.
#include "api/answer_json.hpp"
#include "api/batch_line.hpp"
#include "api/request_body.hpp"
#include "base/utf8.hpp"
#include "session/id.hpp"
#include "session/wording.hpp"
#include "support/claim.hpp"
#include "support/fuzz_target.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <optional>
#include <string>
#include <string_view>

using namespace concur;
using fuzz::claim;
namespace json = boost::json;

namespace {

void check_refusal(const Error& error) {
  claim(error.kind == ErrorKind::kInvalid, "a body is refused as invalid");
  const Response response = to_response(error);
  claim(response.status == 400, "with 400");
  json::error_code failed;
  const json::value told = json::parse(response.body, failed);
  claim(!failed && told.is_object() && told.get_object().contains("error") &&
            told.get_object().contains("message"),
        "in JSON");
}

void check_text(const std::string& text) {
  claim(text.size() <= 256 && is_utf8(text) && !has_control(text), "a text is plain");
}

void check_start(const StartBody& body) {
  claim(!body.ttl || (*body.ttl >= kMinLease && *body.ttl <= kMaxLease),
        "a lease is within its bounds");
  claim(!body.limit || *body.limit <= kMaxLimit, "a limit is within its bounds");
  check_text(body.details.device);
  check_text(body.details.ip);
  check_text(body.details.content);
  claim(!body.replace || Id::parse("session", *body.replace), "replace is a session's name");
  const std::string& meta = body.details.meta;
  claim(meta.size() <= 1024, "meta is bounded");
  if (meta.empty()) return;
  json::error_code failed;
  const json::value read = json::parse(meta, failed);
  claim(!failed && read.is_object(), "meta can be read from the database again");
  // Not to the last digit of a number, which Boost.JSON reads roughly; it is read only once.
  json::parse(json::serialize(read), failed);
  claim(!failed, "and is JSON then");
}

void check_token(const StartToken& token) {
  claim(StartToken::parse(StartTokenText(token).view()) == token, "a token can be told again");
}

// Whatever a heartbeat takes, a start takes too.
void check_heartbeat(std::string_view text) {
  const auto beat = parse_heartbeat_body(text);
  if (!beat) return check_refusal(beat.error());
  const auto start = parse_start_body(text);
  claim(start && start->ttl == beat->ttl && start->start == beat->start,
        "a heartbeat's body means what a start's does");
  if (beat->start) check_token(*beat->start);
}

template <class T>
void check(const Result<T>& parsed, void (*check_value)(const T&)) {
  if (parsed) {
    check_value(*parsed);
  } else {
    check_refusal(parsed.error());
  }
}

void check_line(std::string_view text) {
  BatchLine line;
  const auto parsed = parse_batch_line(text, 7, line);
  // What stands behind a tab is read by the parser of JSON, whatever it is.
  BatchLine again;
  claim(parse_batch_line("\t" + std::string(text), 7, again).has_value() == parsed.has_value(),
        "a plain line is JSON");
  if (!parsed) return check_refusal(parsed.error());
  claim(line.command == again.command && line.user == again.user && line.session == again.session,
        "a plain line means what JSON says");
  claim(is_utf8(line.user) && is_utf8(line.session), "names are UTF-8");
  const auto token = [](const BatchLine& of) {
    return of.body ? of.body->start : std::optional<StartToken>();
  };
  claim(token(line) == token(again), "and so does its token");
  if (!line.body) return;
  check_start(*line.body);
  claim(line.command != BatchCommand::kEnd || !line.body->ttl, "an end brings no lease");
  claim(line.command == BatchCommand::kStart || line.body->details.empty(),
        "a start's fields are of starts alone");
  if (line.body->start) check_token(*line.body->start);
}

void check_purge(const PurgeBody& body) {
  const Purge& purge = body.purge;
  claim(purge.idle >= Millis(0) && purge.older_than >= Millis(0), "no age is less than nothing");
  claim(!purge.block || (*purge.block > Millis(0) && *purge.block <= kMaxBlock),
        "a block is within its bounds");
  claim(check_message(purge.message).has_value(), "a message can be passed on");
  const bool some = body.user || purge.idle > Millis(0) || purge.older_than > Millis(0) ||
                    !purge.ip.empty() || !purge.device.empty() || !purge.content.empty() ||
                    !purge.meta.empty();
  claim(some || !purge.block, "not everybody is kept out");
  for (const auto& [key, value] : purge.meta) claim(is_utf8(value), "meta is UTF-8");
}

void check_block(const BlockBody& body) {
  claim(!body.length || (*body.length > Millis(0) && *body.length <= kMaxBlock),
        "a block is within its bounds");
  claim(check_message(body.message).has_value(), "a message can be passed on");
}

void check_rule(const RuleBody& body) {
  claim(!body.limit || !*body.limit || **body.limit <= kMaxLimit, "a limit is within its bounds");
  claim(!body.plan || !*body.plan || Id::parse("plan", **body.plan), "a plan has a name");
  claim(body.limit || body.plan || body.on_limit, "something is to be changed");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 6) {
    case 0:
      check(parse_start_body(text), check_start);
      check_heartbeat(text);
      break;
    case 1:
      check_line(text);
      break;
    case 2:
      check(parse_purge_body(text), check_purge);
      break;
    case 3:
      check(parse_limit_body(text), check_rule);
      break;
    case 4:
      check(parse_plan_body(text), check_rule);
      break;
    default:
      check(parse_block_body(text), check_block);
  }
  return 0;
}
