#pragma once

#include "base/callback.hpp"
#include "base/result.hpp"
#include "engine/address.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cstddef>
#include <memory>
#include <vector>

namespace concur::engine {

// Finds the addresses of names. The system's resolver blocks, for half a minute where its servers
// are away: each question has a thread, which nobody waits for, not even at the end of the program.
class Resolver {
 public:
  using Endpoints = std::vector<boost::asio::ip::tcp::endpoint>;
  using Found = Callback<void(Result<Endpoints>)>;

  static constexpr std::size_t kMaxQuestions = 8;  // at a time

  // The loop must outlive it.
  explicit Resolver(boost::asio::io_context& loop);
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  // Nobody is called back any more.
  ~Resolver();

  // Calls back from the loop. kUnavailable, as a cause, where there is no such name.
  void resolve(const Address& address, Found found);

 private:
  struct Questions;
  std::shared_ptr<Questions> questions_;
};

}  // namespace concur::engine
