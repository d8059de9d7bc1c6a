#pragma once

#include <string>
#include <string_view>

namespace concur {

// A socket's path as people write it: what other programs call unix:///run/a.sock or
// unix:/run/a.sock is /run/a.sock. Empty where no path is left.
inline std::string socket_path_of(std::string_view text) {
  for (const std::string_view scheme : {"unix://", "unix:"}) {
    if (text.starts_with(scheme)) return std::string(text.substr(scheme.size()));
  }
  return std::string(text);
}

}  // namespace concur
