#include "micro/case.hpp"

#include "api/answer_json.hpp"
#include "api/json_writer.hpp"
#include "base/json_text.hpp"

#include <array>
#include <chrono>
#include <string>
#include <vector>

namespace concur::bench {
namespace {

using std::chrono::seconds;

constexpr WallTime kFour{Millis(1'795'449'600'000)};
constexpr const char* kUser = "u00012345";
constexpr const char* kSession = "0f8fad5b-d9cb-469f-a165-70867728950e";
constexpr int kPage = 100;

SessionInfo session_info() {
  return {kUser,
          kSession,
          kFour,
          kFour,
          kFour + seconds(90),
          {"tv", "192.0.2.7", "film", R"({"a":1})"}};
}

std::unique_ptr<Case> response_to(const Answer& answer) {
  return make_case([answer] { keep(to_response(answer)); });
}

std::unique_ptr<Case> granted() {
  return response_to(Granted{kUser, kSession, false, 1, 3, kFour, seconds(30)});
}

std::unique_ptr<Case> denied() {
  const SessionInfo info = session_info();
  return response_to(Denied{kUser, kSession, 3, 4, 3, Millis(41'200), {info, info, info}});
}

std::unique_ptr<Case> gone() { return response_to(Gone{kUser, kSession, EndReason::kExpired}); }

std::unique_ptr<Case> page() {
  return response_to(Page{std::vector<SessionInfo>(kPage, session_info()), 100U});
}

std::unique_ptr<Case> plain_text() {
  return make_case([out = std::string(), text = std::string(64, 'x')]() mutable {
    out.clear();
    append_json_string(out, text);
    keep(out);
  });
}

std::unique_ptr<Case> escaped_text() {
  return make_case(
      [out = std::string(),
       text = std::string("tab\there \"quoted\" back\\slash \x01 \xc3\xa9")]() mutable {
        out.clear();
        append_json_string(out, text);
        keep(out);
      });
}

const std::array kCases{
    CaseEntry{"json/granted", &granted},
    CaseEntry{"json/denied_with_3", &denied},
    CaseEntry{"json/gone", &gone},
    CaseEntry{"json/page_of_100", &page},
    CaseEntry{"json/text_plain", &plain_text},
    CaseEntry{"json/text_escaped", &escaped_text},
};

}  // namespace

std::span<const CaseEntry> json_cases() { return kCases; }

}  // namespace concur::bench
