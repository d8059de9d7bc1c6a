#include "exec_sibling.hpp"
#include "base/text.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

namespace concur::cli {

Error exec_sibling(const char* path, std::vector<std::string> words) {
  char self[PATH_MAX];
  const ssize_t size = ::readlink("/proc/self/exe", self, sizeof self);
  if (size < 0) {
    return {ErrorKind::kAbsent, text::format("cannot run {}: cannot read /proc/self/exe: {}", path,
                                             std::strerror(errno))};
  }
  const std::string_view own(self, static_cast<std::size_t>(size));
  const std::string whole = text::format("{}{}", own.substr(0, own.rfind('/') + 1), path);
  std::vector<char*> args(words.size() + 1);
  std::ranges::transform(words, args.begin(), [](std::string& word) { return word.data(); });
  ::execv(whole.c_str(), args.data());
  return {ErrorKind::kAbsent, text::format("cannot run {}: {}", whole, std::strerror(errno))};
}

}  // namespace concur::cli
