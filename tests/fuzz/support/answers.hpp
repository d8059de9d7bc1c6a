#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace concur::fuzz {

// One answer of HTTP/1.1, as a client reads it (RFC 9112).
struct HttpAnswer {
  int status = 0;
  std::string content_type;
  std::string body;
  bool closes = false;  // nothing comes behind it
};

// All answers in what a server sent until it closed; those of status 100 are passed over.
// `head_only` says of each answer by its number whether it has no body (an answer to HEAD). None
// where the bytes are anything but whole answers.
std::optional<std::vector<HttpAnswer>> read_answers(std::string_view bytes,
                                                    const std::vector<bool>& head_only);

}  // namespace concur::fuzz
