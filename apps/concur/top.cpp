#include "top.hpp"

#include "base/text.hpp"
#include "exec_sibling.hpp"

namespace concur::cli {

Error exec_top(const Options& options, const Top& top) {
  std::vector<std::string> words{"concur-top", text::format("{}", options.timeout.count()),
                                 text::format("{}", top.interval.count())};
  words.insert(words.end(), options.sockets.begin(), options.sockets.end());
  Error error = exec_sibling("concur-top", std::move(words));
  error.message = text::format("cannot {}: {}", Top::kVerb, error.message);
  return error;
}

}  // namespace concur::cli
