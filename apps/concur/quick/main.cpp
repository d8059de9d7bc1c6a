#include "ask.hpp"
#include "exec_sibling.hpp"
#include "guarded.hpp"
#include "quick/plain.hpp"
#include "request.hpp"

#include <cstddef>
#include <span>
#include <type_traits>
#include <variant>

namespace concur::cli {

namespace {

template <class T>
Result<int> run_plain(Client& client, const T& command) {
  auto answer = ask(client, T::kVerb, request_of(command));
  if (!answer) return std::move(answer).error();
  auto code = pass_on(T::kVerb, *answer, std::is_same_v<T, Heartbeat>);
  if (!code) return std::move(code).error();
  return static_cast<int>(*code);
}

}  // namespace

}  // namespace concur::cli

// What is forked for each stream must start fast. This program knows the plain form of those
// commands alone, links little and is linked whole; for anything else it becomes the program that
// knows all.
int main(int argc, char** argv) {
  using namespace concur::cli;
  return guarded([argc, argv]() -> concur::Result<int> {
    const std::span<char* const> words(argv, static_cast<std::size_t>(argc));
    const auto plain = read_plain(words.subspan(words.empty() ? 0 : 1));
    if (!plain)
      return exec_sibling("../libexec/concurrencyd/concur-all", {words.begin(), words.end()});
    prepare_output();
    concur::Client client(plain->sockets, plain->timeout);
    return std::visit([&client](const auto& command) { return run_plain(client, command); },
                      plain->command);
  });
}
