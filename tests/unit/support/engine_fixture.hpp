#pragma once

#include "base/turn.hpp"
#include "engine/connection.hpp"
#include "support/fake_servers.hpp"
#include "support/moments.hpp"

#include <boost/asio/io_context.hpp>

#include <string>

namespace concur::test {

inline const engine::Address kFirst{"10.0.0.1", 6379};
inline const engine::Address kSecond{"10.0.0.2", 6379};
inline const engine::Address kThird{"10.0.0.3", 6379};

inline std::string server(const engine::Address& address) {
  return array({bulk(address.host), integer(address.port), bulk("some id"), array({})});
}

// Three primaries with a third of the slots each, in their order; the first has a replica.
inline std::string three_primaries() {
  return array({array({integer(0), integer(5460), server(kFirst), server({"10.0.0.4", 6379})}),
                array({integer(5461), integer(10922), server(kSecond)}),
                array({integer(10923), integer(16383), server(kThird)})});
}

// A loop, a clock that the test holds, and servers that it plays.
struct EngineFixture {
  EngineFixture() = default;
  EngineFixture(const EngineFixture&) = delete;
  EngineFixture& operator=(const EngineFixture&) = delete;

  // Until nothing is left to be done.
  void run() {
    do {
      loop.restart();
    } while (loop.poll() > 0);
  }

  boost::asio::io_context loop{1};
  Turn turn{loop};
  FakeClock clock;
  FakeServers servers{loop};
  engine::Surroundings surroundings{turn, clock, servers, {}, Millis(1000)};
};

}  // namespace concur::test
