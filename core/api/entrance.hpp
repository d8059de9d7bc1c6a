#pragma once

#include <string_view>

namespace concur {

// What a request is for, as far as that is to be known before it is routed: who may come in differs
// by it, and how a refusal reads.
enum class Entrance {
  kApi,
  kAuthorize,  // a proxy's question, with what its viewer sent
  kHook,       // a media server's, which can bring no more than a URL
  kOpen,       // what anybody may read, without a key
};

inline constexpr std::string_view kAuthorizePath = "/v1/authorize";
inline constexpr std::string_view kHooksPath = "/v1/hooks/";
inline constexpr std::string_view kOpenApiPath = "/openapi.json";
inline constexpr std::string_view kPagePath = "/";
inline constexpr std::string_view kPageFilesPath = "/page/";

// By the path to the letter: one that spells it otherwise is none of them.
constexpr Entrance entrance_of(std::string_view target) {
  if (target.starts_with(kAuthorizePath)) {
    target.remove_prefix(kAuthorizePath.size());
    const bool ends = target.empty() || target.front() == '/' || target.front() == '?';
    return ends ? Entrance::kAuthorize : Entrance::kApi;
  }
  if (target.starts_with(kHooksPath)) return Entrance::kHook;
  const std::string_view path = target.substr(0, target.find('?'));
  const bool is_page = path == kPagePath || path.starts_with(kPageFilesPath);
  if (is_page || path == kOpenApiPath) return Entrance::kOpen;
  return Entrance::kApi;
}

// Whether it brings what viewers sent.
constexpr bool is_of_viewers(Entrance entrance) {
  return entrance == Entrance::kAuthorize || entrance == Entrance::kHook;
}

// Whether the fields of its header are kept, beside those that every request may have.
constexpr bool keeps_fields(Entrance entrance) { return entrance != Entrance::kApi; }

}  // namespace concur
