#include "base/text.hpp"
#include "base/text_file.hpp"
#include "net/api_keys.hpp"

#include <unistd.h>

namespace concur {

namespace {

constexpr std::size_t kMaxBytes = std::size_t{256} * 1024;  // kMaxKeys of the longest, about

// Who may read keys is the matter of whoever set the file's group: a service manager gives the
// daemon credentials of root's with its own group. Whoever may write them could make a key.
std::string fault_of(const struct stat& info) {
  if (S_ISDIR(info.st_mode)) return "it is a folder";
  if (info.st_uid != 0 && info.st_uid != geteuid()) {
    return text::format("it belongs to user {}, and must belong to root or the daemon's user {}",
                        info.st_uid, geteuid());
  }
  constexpr mode_t kOthersMayRead = 0004;
  constexpr mode_t kMoreMayWrite = 0022;
  if ((info.st_mode & (kOthersMayRead | kMoreMayWrite)) != 0) {
    return text::format(
        "its mode is {:04o}: others may not read it, and nobody but its owner may write it, as "
        "with "
        "0600 or 0440",
        info.st_mode & 07777);
  }
  return {};
}

}  // namespace

Result<ApiKeyFile> read_api_keys(const std::string& path, std::chrono::milliseconds patience) {
  const auto cannot = [&path](std::string_view cause) {
    return Error{ErrorKind::kInvalid,
                 text::format("cannot read API keys from {}: {}", path, cause)};
  };
  const auto file = read_text_file(path, kMaxBytes, patience, fault_of);
  if (!file) return cannot(file.error().message);
  auto keys = parse_api_keys(file->text);
  if (!keys) return cannot(keys.error().message);
  if (keys->empty()) return cannot("there is no key in it");
  return ApiKeyFile{std::move(*keys), file->is_regular};
}

}  // namespace concur
