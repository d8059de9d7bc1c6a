#include "api/fleet_json.hpp"

#include "support/fleet_figures.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace concur;

TEST_CASE("to_response of a fleet") {
  SUBCASE("tells what the status tells") {
    FleetStatus fleet = test::a_fleet();
    const std::string body = to_response(fleet).body;
    CHECK(body.starts_with(
        R"({"state":"degraded","box":"edge-1","id":"1f","name":"concur","policy":"aa",)"
        R"("ack":"replica","unavailable":"local","primaries":[)"
        R"({"address":"10.0.0.1:6379","up":true,"clockOffset":{"least":-0.005,"most":0.007},)"
        R"("shortOfReplicas":false,"requests":3},)"
        R"({"address":"10.0.0.2:6379","up":false,"trouble":"it did not answer",)"
        R"("shortOfReplicas":true,"requests":0}],)"));
    CHECK(body.find(R"("others":[{"box":"edge-2","id":"2f","version":"0.1.0","policy":"bb",)"
                    R"("seenAt":"2026-11-23T16:00:00.000Z","differs":true}])") !=
          std::string::npos);
    CHECK(body.find(R"("requests":{"answered":10,"late":1,"full":2,"unavailable":3},)"
                    R"("conflicts":4,"redirects":{"moved":5,"ask":6,"readOnly":7,"retried":8},)"
                    R"("reconnects":9,"localDecisions":{"started":11,"denied":12,"renewed":13,)"
                    R"("ended":14,"refused":15},"unacknowledged":16,"reclaimed":17})") !=
          std::string::npos);
    CHECK(body.find("\"trouble\":\"no") == std::string::npos);
    fleet.trouble = "nobody answers";
    CHECK(to_response(fleet).body.find(R"("trouble":"nobody answers")") != std::string::npos);
  }
  SUBCASE("with nothing found all is well") {
    CHECK(to_response(FleetFindings()).body ==
          "{\"result\":\"ok\",\"servers\":[],\"findings\":[]}\n");
  }
  SUBCASE("a problem is to be mended; a warning is not") {
    FleetFindings findings;
    findings.servers = {{"a:1", "primary", "valkey 8.1.0", "", {"INFO"}},
                        {"b:1", "", "", "gone", {}}};
    findings.findings = {
        {FleetFinding::Severity::kWarning, {"a:1"}, "it is so", "it matters", {"do this"}}};
    CHECK(to_response(findings).body ==
          R"({"result":"ok","servers":[{"address":"a:1","role":"primary","version":"valkey 8.1.0",)"
          R"("unread":["INFO"]},{"address":"b:1","trouble":"gone"}],)"
          R"("findings":[{"severity":"warning","where":["a:1"],"what":"it is so",)"
          R"("why":"it matters","mend":["do this"]}]})"
          "\n");
    findings.findings.front().severity = FleetFinding::Severity::kProblem;
    CHECK(to_response(findings).body.starts_with(R"({"result":"mend",)"));
  }
}
