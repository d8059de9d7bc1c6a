// The whole of a daemon behind its socket: bytes in, answers out. Each request has exactly one
// answer, well-formed and of a status that is told of in the manual; nobody is let in above the
// limit; and what is active is what the next daemon would load.
//
// The first byte of an input says who asks (an odd one: a client, not an operator) and in what
// pieces the bytes arrive. In what follows 0xFF and a letter is something else than bytes: 'p' a
// pause, 't' half a minute passes, 'o' six hours.
#include "net/request_parser.hpp"
#include "support/answers.hpp"
#include "support/claim.hpp"
#include "support/daemon_fixture.hpp"
#include "support/fuzz_target.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;
using fuzz::claim;
using fuzz::DaemonFixture;
using fuzz::HttpAnswer;
namespace json = boost::json;

namespace {

constexpr char kMark = '\xFF';

struct Options {
  Role role;
  std::size_t piece;

  explicit Options(unsigned char byte) : role((byte & 1U) != 0 ? Role::kClient : Role::kOperator) {
    constexpr std::size_t kPieces[] = {SIZE_MAX, 1, 7, 100};
    piece = kPieces[byte >> 1U & 3U];
  }
};

// What the bytes ask for, taken apart as a whole, while the connection gets them in pieces.
struct Question {
  std::string bytes;
  std::vector<bool> head_only;  // of each request
  bool refused = false;         // behind them comes something that is no request
  bool rest_head_only = false;  // what is left has the head of a request for HEAD
  bool streams = false;         // an answer may go on until the connection ends
  bool time_passes = false;
  bool in_pieces = false;
};

bool is_batch(const RequestParser& parser) {
  const auto target = Target::parse(parser.target());
  Names names;
  const Route* route = target ? match(Api::routes(), parser.method(), *target, names) : nullptr;
  return route != nullptr && route->action.streamed != nullptr;
}

void parse(Question& asked) {
  RequestParser parser;
  std::string_view rest = asked.bytes;
  while (!rest.empty()) {
    rest.remove_prefix(parser.feed(rest));
    const bool streaming = parser.head_done() && is_batch(parser);
    if (streaming) parser.take_body(RequestParser::Body::kStreamed);
    if (parser.head_done() && !parser.done()) {
      do {
        rest.remove_prefix(parser.feed(rest));
        if (streaming) parser.clear_body();
      } while (streaming && !parser.done() && !rest.empty() && parser.problem().status == 0);
    }
    asked.streams |= streaming;
    asked.refused = parser.problem().status != 0 ||
                    (!parser.done() && rest.size() > RequestParser::kMaxHeaderBytes);
    // Such a body is answered while it arrives, whether or not it ever ends.
    if (streaming && !parser.done() && !asked.refused) asked.head_only.push_back(false);
    asked.rest_head_only = !parser.done() && parser.head_done() && parser.method() == "HEAD";
    if (asked.refused || !parser.done()) return;
    asked.head_only.push_back(parser.method() == "HEAD");
    asked.streams |= parser.target().find("event") != std::string_view::npos ||
                     parser.target().find('%') != std::string_view::npos;
    if (!parser.keep_alive()) return;
    parser.reset();
  }
}

Question play(DaemonFixture& fixture, const Options& options, std::string_view input) {
  Question asked;
  asked.in_pieces = options.piece != SIZE_MAX || input.find(kMark) != std::string_view::npos;
  while (!input.empty()) {
    const std::size_t mark = input.find(kMark);
    std::string_view part = input.substr(0, mark);
    asked.bytes += part;
    while (!part.empty()) {
      const std::size_t size = std::min(part.size(), options.piece);
      fixture.send(part.substr(0, size));
      part.remove_prefix(size);
    }
    if (mark == std::string_view::npos) break;
    const char what = mark + 1 < input.size() ? input[mark + 1] : 'p';
    input.remove_prefix(std::min(input.size(), mark + 2));
    if (what != 't' && what != 'o') continue;
    fixture.pass(what == 't' ? 30s : 6h);
    asked.time_passes = true;
  }
  parse(asked);
  return asked;
}

void check_granted(const json::object& told) {
  const json::value* limit = told.if_contains("limit");
  const json::value* active = told.if_contains("concurrentSessions");
  if (limit == nullptr || active == nullptr) return;
  claim(limit->to_number<int>() == 0 || active->to_number<int>() <= limit->to_number<int>(),
        "nobody is let in above the limit");
}

json::value parsed(std::string_view text) {
  json::error_code failed;
  json::value value = json::parse({text.data(), text.size()}, failed);
  claim(!failed, "an answer is JSON");
  return value;
}

void check_answer(const HttpAnswer& answer, bool head_only) {
  constexpr int kStatuses[] = {200, 201, 204, 304, 400, 401, 403, 404,
                               405, 408, 409, 410, 413, 431, 503, 505};
  claim(std::find(std::begin(kStatuses), std::end(kStatuses), answer.status) != std::end(kStatuses),
        "a status is one of those that the manual tells of");
  if (head_only) return;
  if (answer.content_type == "application/json") {
    const json::value told = parsed(answer.body);
    if (answer.status == 201) check_granted(told.as_object());
  }
  if (answer.content_type != "application/x-ndjson") return;
  std::string_view lines = answer.body;
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    claim(end != std::string_view::npos, "a line is whole");
    const json::value told = parsed(lines.substr(0, end));
    const json::value* status = told.as_object().if_contains("status");
    if (status != nullptr && *status == 201) check_granted(told.as_object());
    lines.remove_prefix(end + 1);
  }
}

void check_answers(const Question& asked, const std::string& received) {
  std::vector<bool> head_only = asked.head_only;
  head_only.push_back(asked.rest_head_only);
  const auto answers = fuzz::read_answers(received, head_only);
  claim(answers.has_value(), "answers are well-formed HTTP");
  const std::size_t requests = asked.head_only.size();
  const std::size_t most = requests + (asked.refused ? 1 : 0) + (asked.time_passes ? 1 : 0);
  claim(answers->size() <= most, "no answer without a request");
  if (!asked.streams && !asked.time_passes) {
    // What is malformed is seen as such behind the end of the header, which may never come, unless
    // it is there at the first look.
    claim(answers->size() >= (asked.in_pieces ? requests : most), "each request has its answer");
  }
  for (std::size_t at = 0; at < answers->size(); ++at) {
    const HttpAnswer& answer = (*answers)[at];
    check_answer(answer, at < head_only.size() && head_only[at]);
    claim(!answer.closes || at + 1 == answers->size(), "nothing comes behind the last answer");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Options options(data[0]);
  DaemonFixture fixture(options.role);
  const Question asked =
      play(fixture, options, {reinterpret_cast<const char*>(data + 1), size - 1});
  check_answers(asked, fixture.finish());
  const auto active = fixture.active();
  fixture.stop();
  claim(fixture.stored() == active, "what is active is what is stored");
  return 0;
}
