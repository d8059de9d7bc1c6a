#include "engine/resolver.hpp"

#include <doctest/doctest.h>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <optional>

using namespace concur;
using engine::Resolver;

namespace {

struct Fixture {
  void resolve(const engine::Address& address) {
    resolver->resolve(address,
                      [this](Result<Resolver::Endpoints> answer) { found = std::move(answer); });
    CHECK_FALSE(found.has_value());  // never from within the call
    while (!found) loop.run_one();
  }

  boost::asio::io_context loop{1};
  // The loop goes on although another thread does the work.
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{
      loop.get_executor()};
  std::optional<Resolver> resolver{std::in_place, loop};
  std::optional<Result<Resolver::Endpoints>> found;
};

}  // namespace

TEST_CASE("Resolver") {
  Fixture f;

  SUBCASE("takes addresses as they are") {
    f.resolve({"::1", 7});
    REQUIRE(f.found->has_value());
    REQUIRE((*f.found)->size() == 1);
    CHECK((**f.found)[0].address().to_string() == "::1");
    CHECK((**f.found)[0].port() == 7);
  }
  SUBCASE("finds names") {
    f.resolve({"localhost", 7});
    REQUIRE(f.found->has_value());
    CHECK((**f.found)[0].address().is_loopback());
    CHECK((**f.found)[0].port() == 7);
  }
  SUBCASE("says of a name that is none that it is not there") {
    f.resolve({"no-such-name.invalid", 7});
    REQUIRE(f.found->has_error());
    CHECK(f.found->error().kind == ErrorKind::kUnavailable);
    CHECK_FALSE(f.found->error().message.empty());
  }
  SUBCASE("calls nobody back once it is gone") {
    f.resolver->resolve({"127.0.0.1", 7},
                        [&f](Result<Resolver::Endpoints> answer) { f.found = std::move(answer); });
    f.resolver->resolve({"localhost", 7},
                        [&f](Result<Resolver::Endpoints> answer) { f.found = std::move(answer); });
    f.resolver.reset();
    f.loop.poll();
    CHECK_FALSE(f.found.has_value());
  }
}
