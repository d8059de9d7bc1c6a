#include "top.hpp"

#include "beside.hpp"

#include <fmt/format.h>

namespace concur::cli {

Error exec_top(const Options& options, const Top& top) {
  std::vector<std::string> words{"concur-top", fmt::format("{}", options.timeout.count()),
                                 fmt::format("{}", top.interval.count())};
  words.insert(words.end(), options.sockets.begin(), options.sockets.end());
  Error error = exec_beside("concur-top", std::move(words));
  error.message = fmt::format("cannot {}: {}", Top::kVerb, error.message);
  return error;
}

}  // namespace concur::cli
