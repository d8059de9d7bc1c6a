#include "base/text.hpp"
#include "base/text_file.hpp"
#include "net/api_keys.hpp"

namespace concur {

namespace {

constexpr std::size_t kMaxBytes = std::size_t{256} * 1024;  // kMaxKeys of the longest, about

}  // namespace

Result<ApiKeyFile> read_api_keys(const std::string& path, std::chrono::milliseconds patience) {
  const auto cannot = [&path](std::string_view cause) {
    return Error{ErrorKind::kInvalid,
                 text::format("cannot read API keys from {}: {}", path, cause)};
  };
  const auto file = read_text_file(path, kMaxBytes, patience, fault_of_secret);
  if (!file) return cannot(file.error().message);
  auto keys = parse_api_keys(file->text);
  if (!keys) return cannot(keys.error().message);
  if (keys->empty()) return cannot("there is no key in it");
  return ApiKeyFile{std::move(*keys), file->is_regular};
}

}  // namespace concur
