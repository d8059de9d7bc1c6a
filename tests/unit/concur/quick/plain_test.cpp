#include "quick/plain.hpp"

#include "options.hpp"
#include "request.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace concur::cli {
namespace {

using Words = std::vector<std::string>;

std::optional<Plain> plain_of(Words words) {
  std::vector<char*> args;
  for (std::string& word : words) args.push_back(word.data());
  return read_plain(args);
}

// What is asked, and of whom: equal where two command lines mean the same.
std::string meaning(const Request& request, const Words& sockets, Millis timeout) {
  std::string text = std::string(request.method) + ' ' + request.target + ' ' + request.body;
  for (const std::string& socket : sockets) text += " of " + socket;
  return text + " within " + std::to_string((timeout + request.wait).count());
}

std::string meaning(const Plain& plain) {
  return std::visit(
      [&plain](const auto& command) {
        return meaning(request_of(command), plain.sockets, plain.timeout);
      },
      plain.command);
}

// Empty for what is not plain, or not to be understood.
std::string whole_meaning(const Words& words) {
  const auto parsed = parse_options(words);
  const auto* options = parsed ? std::get_if<Options>(&*parsed) : nullptr;
  if (options == nullptr) return {};
  const auto of = [options](const auto* command) {
    return command == nullptr ? std::string()
                              : meaning(request_of(*command), options->sockets, options->timeout);
  };
  return of(std::get_if<Start>(&options->command)) + of(std::get_if<Heartbeat>(&options->command)) +
         of(std::get_if<End>(&options->command));
}

TEST_CASE("read_plain") {
  ::unsetenv("CONCUR_SOCKET");
  ::setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);

  SUBCASE("what it reads means the same as to the command-line library") {
    for (const Words& words : std::vector<Words>{
             {"start", "--user", "abc", "--session", "xyz"},
             {"start", "--session=xyz", "--user=abc"},
             {"heartbeat", "--user", "abc", "--session", "xyz"},
             {"end", "--user", "abc", "--session", "xyz"},
             {"--socket", "/s", "--timeout", "300ms", "end", "--user", "a", "--session", "b"},
             {"--socket", "unix:///s", "end", "--user", "a", "--session", "b"},
             {"--socket=unix:/s", "end", "--user", "a", "--session", "b"},
             {"--socket=/s", "end", "--timeout=1m", "--user", "a", "--session", "b"},
             {"end", "--user", "a", "--socket", "/a=b", "--session", "b"},
             {"start", "--user", "a", "--session", "b", "--ttl", "2m", "--device", "tv-1", "--ip",
              "192.0.2.7", "--content", "film 1", "--on-limit", "evict-oldest", "--replace", "old"},
             {"start", "--user", "a", "--session", "b", "--wait", "90s"},
             {"start", "--user", "a", "--session", "b", "--on-limit", "deny"},
             {"start", "--user", "end", "--session", "start"},
             {"start", "--user", "{}", "--session", "[a,b]", "--device=\"x\"", "--content", "a=b"},
             {"start", "--user", "\xC3\xA4/\n", "--session", "%41\xFF"},
             {"start", "--user==", "--session", "=a"},
         }) {
      const auto plain = plain_of(words);
      REQUIRE(plain.has_value());
      CHECK(meaning(*plain) == whole_meaning(words));
    }
  }

  SUBCASE("anything else is left to it") {
    for (const Words& words : std::vector<Words>{
             {},
             {"--help"},
             {"--version"},
             {"list"},
             {"start"},
             {"start", "--help"},
             {"start", "--user", "abc"},
             {"start", "--user", "abc", "--session"},
             {"start", "--user", "abc", "--session", ""},
             {"start", "--user", "abc", "--session="},
             {"start", "--user", "abc", "--session", "-x"},
             {"start", "--user", "abc", "--session", "--device"},
             {"start", "--user", "abc", "--session", "x", "--user", "abd"},
             {"start", "--user", "abc", "--session", "x", "--device", "a", "--device", "b"},
             {"start", "--user", "abc", "--session", "x", "--bogus", "a"},
             {"start", "--user", "abc", "--session", "x", "y"},
             {"start", "--user", "abc", "--session", "x", "--"},
             {"start", "--user", "abc", "--session", "x", "--ttl", "soon"},
             {"start", "--user", "abc", "--session", "x", "--wait", "long"},
             {"start", "--user", "abc", "--session", "x", "--wait", "1s", "--wait", "2s"},
             {"start", "--user", "abc", "--session", "x", "--on-limit", "perhaps"},
             {"start", "--user", "abc", "--session", "x", "--timeout", "0"},
             {"start", "--user", "abc", "--session", "x", "--limit", "5"},
             {"start", "--user", "abc", "--session", "x", "--meta", "a=b"},
             {"start", "user", "abc", "--session", "x"},
             {"heartbeat", "--user", "abc", "--session", "x", "--device", "a"},
             {"-x", "start", "--user", "abc", "--session", "x"},
             {"--socket", "unix://", "start", "--user", "abc", "--session", "x"},
             {"--socket", "/a", "start", "--user", "abc", "--session", "x", "--socket", "/b"},
         }) {
      CHECK_FALSE(plain_of(words).has_value());
    }
  }

  SUBCASE("where the daemon may be is found in the environment") {
    const Words words{"end", "--user", "a", "--session", "b"};
    CHECK(plain_of(words)->sockets ==
          Words{"/run/concurrencyd/concurrencyd.sock", "/run/user/7/concurrencyd.sock"});
    ::setenv("CONCUR_SOCKET", "/own", 1);
    CHECK(plain_of(words)->sockets == Words{"/own"});
    CHECK(meaning(*plain_of(words)) == whole_meaning(words));
    for (const char* written : {"unix:///own", "unix:/own"}) {
      ::setenv("CONCUR_SOCKET", written, 1);
      CHECK(plain_of(words)->sockets == Words{"/own"});
      CHECK(meaning(*plain_of(words)) == whole_meaning(words));
    }
    ::unsetenv("CONCUR_SOCKET");
  }
  ::unsetenv("XDG_RUNTIME_DIR");
}

}  // namespace
}  // namespace concur::cli
