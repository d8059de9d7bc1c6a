#include "base/fd.hpp"
#include "base/text.hpp"
#include "net/api_keys.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace concur {

namespace {

constexpr std::size_t kMaxBytes = std::size_t{256} * 1024;  // kMaxKeys of the longest, about

// What makes the file one that keys must not be in; empty where nothing does.
std::string fault_of(const struct stat& info, uid_t daemon) {
  if (!S_ISREG(info.st_mode)) return "it is not a file";
  if (info.st_uid != 0 && info.st_uid != daemon) {
    return text::format("it belongs to user {}, and must belong to root or the daemon's user {}",
                        info.st_uid, daemon);
  }
  if ((info.st_mode & 077) != 0) {
    return text::format(
        "others than its owner have rights to it: its mode is {:04o}, and must be "
        "0600 or 0400",
        info.st_mode & 07777);
  }
  return {};
}

}  // namespace

Result<std::vector<ApiKey>> read_api_keys(const std::string& path, uid_t daemon) {
  const auto cannot = [&path](std::string_view cause) {
    return Error{ErrorKind::kInvalid,
                 text::format("cannot read API keys from {}: {}", path, cause)};
  };
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  struct stat info {};
  if (!file || fstat(file.get(), &info) != 0) return cannot(std::strerror(errno));
  if (const std::string fault = fault_of(info, daemon); !fault.empty()) return cannot(fault);
  std::string text(kMaxBytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = read(file.get(), text.data() + size, text.size() - size);
    if (got < 0) return cannot(std::strerror(errno));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kMaxBytes) return cannot("it has more than 256 KiB");
  text.resize(size);
  auto keys = parse_api_keys(text);
  if (!keys) return cannot(keys.error().message);
  if (keys->empty()) return cannot("there is no key in it");
  return keys;
}

}  // namespace concur
