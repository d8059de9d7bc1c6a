#include "top.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

namespace concur::cli {

namespace {

// Beside this very program, so that nothing of the environment chooses what is run.
std::string path_of_screen() {
  char self[PATH_MAX];
  const ssize_t size = ::readlink("/proc/self/exe", self, sizeof self);
  const std::string_view path(self, size > 0 ? static_cast<std::size_t>(size) : 0);
  const std::string_view folder = path.substr(0, path.rfind('/') + 1);
  return fmt::format("{}../libexec/concurrencyd/concur-top", folder);
}

}  // namespace

Error exec_top(const Options& options, const Top& top) {
  const std::string path = path_of_screen();
  std::vector<std::string> words{"concur-top", fmt::format("{}", options.timeout.count()),
                                 fmt::format("{}", top.interval.count())};
  words.insert(words.end(), options.sockets.begin(), options.sockets.end());
  std::vector<char*> args(words.size() + 1);
  std::ranges::transform(words, args.begin(), [](std::string& word) { return word.data(); });
  ::execv(path.c_str(), args.data());
  return {ErrorKind::kAbsent,
          fmt::format("cannot {}: cannot run {}: {}", Top::kVerb, path, std::strerror(errno))};
}

}  // namespace concur::cli
