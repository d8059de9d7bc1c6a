#include "api/api.hpp"

#include "support/fake_service.hpp"
#include "support/moments.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace concur;
using test::FakeClock;
using test::FakeService;

TEST_CASE("Api::foresee tells the service whom a request is about, as far as it can be seen") {
  FakeService service;
  FakeClock clock;
  Logger log{LogLevel::kError, LogFormat::kText};
  ClientMemory memory(clock, log, ClientMemory::kMost);
  EventLog events;
  Api api(service, events, memory, clock, log);
  for (const char* arrived :
       {"PUT /v1/users/ada/sessions/s1 HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /v1/users/bob/sessions/s1/heartbeat HTTP/1.1\r\n", "DELETE /v1/users/eve", "",
        " /v1/users/", "GET /v1/status HTTP/1.1\r\n\r\n", "GET /v1/sessions HTTP/1.1\r\n\r\n",
        "NO-METHOD-IS-THIS-LONG /v1/users/ada/sessions/s1", "PUT"}) {
    api.foresee(arrived);
  }
  CHECK(service.prefetched == std::vector<std::string>{"ada", "bob", "eve", ""});
  CHECK(service.submitted == 0);
}
