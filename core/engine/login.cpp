#include "engine/login.hpp"

#include "base/text.hpp"
#include "base/text_file.hpp"

#include <algorithm>
#include <cstddef>

namespace concur::engine {

namespace {

constexpr std::size_t kMaxPasswordBytes = std::size_t{4} * 1024;

}  // namespace

Result<std::string> read_password(const std::string& path, std::chrono::milliseconds patience) {
  const auto cannot = [&path](std::string_view cause) {
    return Error{ErrorKind::kInvalid,
                 text::format("cannot read the fleet's password from {}: {}", path, cause)};
  };
  const auto file = read_text_file(path, kMaxPasswordBytes, patience, fault_of_secret);
  if (!file) return cannot(file.error().message);
  std::string password = file->text;
  if (password.ends_with('\n')) password.pop_back();
  if (password.ends_with('\r')) password.pop_back();
  if (password.empty()) return cannot("there is none in it");
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' '; };
  if (std::ranges::any_of(password, is_control)) {
    return cannot("it has several lines, or control characters");
  }
  return password;
}

}  // namespace concur::engine
