#include "micro/case.hpp"

#include "api/api.hpp"
#include "api/route.hpp"
#include "api/target.hpp"

#include <array>
#include <string_view>

namespace concur::bench {
namespace {

std::unique_ptr<Case> routed(std::string_view method, std::string_view path) {
  return make_case([method, path] {
    const auto target = Target::parse(path);
    Names names;
    keep(match(Api::routes(), method, *target, names));
  });
}

std::unique_ptr<Case> start() {
  return routed("PUT", "/v1/users/u00012345/sessions/0f8fad5b-d9cb-469f-a165-70867728950e");
}

std::unique_ptr<Case> heartbeat() {
  return routed("POST",
                "/v1/users/u00012345/sessions/0f8fad5b-d9cb-469f-a165-70867728950e/heartbeat");
}

std::unique_ptr<Case> first_start() {
  return routed("GET", "/startSession/userId/abc/sessionId/xyz");
}

std::unique_ptr<Case> encoded() {
  return routed("PUT", "/v1/users/a%2Fb%20c/sessions/%C3%A9t%C3%A9");
}

std::unique_ptr<Case> with_query() { return routed("GET", "/v1/sessions?after=12345&limit=100"); }

std::unique_ptr<Case> unknown() { return routed("GET", "/v1/nothing/of/the/kind"); }

const std::array kCases{
    CaseEntry{"router/start", &start},
    CaseEntry{"router/heartbeat", &heartbeat},
    CaseEntry{"router/first_start", &first_start},
    CaseEntry{"router/encoded", &encoded},
    CaseEntry{"router/query", &with_query},
    CaseEntry{"router/unknown", &unknown},
};

}  // namespace

std::span<const CaseEntry> router_cases() { return kCases; }

}  // namespace concur::bench
