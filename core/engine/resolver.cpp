#include "engine/resolver.hpp"

#include <netdb.h>
#include <pthread.h>
#include <boost/asio/post.hpp>

#include <cstdint>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace concur::engine {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

Error not_found(std::string cause) { return {ErrorKind::kUnavailable, std::move(cause)}; }

Result<Resolver::Endpoints> look_up(const Address& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
  addrinfo* first = nullptr;
  const int failed =
      getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &first);
  if (failed != 0) return not_found(gai_strerror(failed));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> all(first, freeaddrinfo);
  Resolver::Endpoints endpoints;
  for (const addrinfo* each = first; each != nullptr; each = each->ai_next) {
    tcp::endpoint endpoint;
    if (each->ai_addrlen > endpoint.capacity()) continue;
    std::copy_n(reinterpret_cast<const char*>(each->ai_addr), each->ai_addrlen,
                reinterpret_cast<char*>(endpoint.data()));
    endpoints.push_back(endpoint);
  }
  if (endpoints.empty()) return not_found("the name has no address");
  return endpoints;
}

}  // namespace

// Shared with the threads, which touch nothing else. Who waits is known to the loop's thread alone.
struct Resolver::Questions : std::enable_shared_from_this<Questions> {
  std::mutex mutex;
  asio::io_context* loop = nullptr;  // none once nobody waits any more
  std::map<std::uint64_t, Found> waiting;
  std::uint64_t last = 0;

  void answer(std::uint64_t number, Result<Endpoints> found) {
    auto node = waiting.extract(number);
    if (!node.empty()) node.mapped()(std::move(found));
  }

  // From any thread.
  void post_answer(std::uint64_t number, Result<Endpoints> found) {
    const std::lock_guard lock(mutex);
    if (loop == nullptr) return;
    asio::post(*loop, [self = shared_from_this(), number, found = std::move(found)]() mutable {
      self->answer(number, std::move(found));
    });
  }
};

Resolver::Resolver(asio::io_context& loop) : questions_(std::make_shared<Questions>()) {
  questions_->loop = &loop;
}

Resolver::~Resolver() {
  const std::lock_guard lock(questions_->mutex);
  questions_->loop = nullptr;
  questions_->waiting.clear();
}

void Resolver::resolve(const Address& address, Found found) {
  const std::uint64_t number = ++questions_->last;
  const bool full = questions_->waiting.size() >= kMaxQuestions;
  questions_->waiting.emplace(number, std::move(found));
  boost::system::error_code no_literal;
  const auto literal = asio::ip::make_address(address.host, no_literal);
  if (!no_literal) return questions_->post_answer(number, Endpoints{{literal, address.port}});
  if (full) return questions_->post_answer(number, not_found("too many names are looked up"));
  try {
    std::thread([questions = questions_, number, address] {
      questions->post_answer(number, look_up(address));
    }).detach();
  } catch (const std::system_error& error) {
    questions_->post_answer(number, not_found(error.what()));
  }
}

}  // namespace concur::engine
