#pragma once

#include "base/fd.hpp"
#include "base/progress.hpp"
#include "net/client.hpp"
#include "request.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace concur::cli {

// Shows on a terminal how far the daemon is with what this process waits for: its status says so,
// and is asked for over a connection of its own. Nothing is asked in the first second, nor where
// standard error is no terminal.
class WorkWatch {
 public:
  // `what` is the work's name in the status, of static storage.
  WorkWatch(std::vector<std::string> sockets, std::string_view what);

  // Can be read when look() is due; -1 where it never is.
  int fd() const { return timer_.get(); }
  // Waits for the daemon, but briefly.
  void look();

  // From here on the work goes on here, and what the daemon says of it is of no interest.
  void here(const WorkState& work);
  // As the daemon said last; 0: it did not.
  std::uint64_t total() const { return total_; }

 private:
  Client client_;
  std::string_view what_;
  Fd timer_;
  std::uint64_t total_ = 0;
  bool is_here_ = false;
  Progress progress_;
};

// As ask(), of work that may take long.
Result<HttpAnswer> ask_long(Client& client, const char* verb, const Request& request,
                            std::string_view what);

}  // namespace concur::cli
