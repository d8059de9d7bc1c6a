#include "base/command_line.hpp"

#include <charconv>

namespace concur {

namespace {

constexpr char kMark = '^';
constexpr std::string_view kHex = "0123456789ABCDEF";

// What no version of CLI11 gives a meaning within a word.
bool is_plain(char c) {
  constexpr std::string_view kPlain = "-_=.,:/@+ ";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kPlain.find(c) != std::string_view::npos;
}

std::string encode(std::string_view word) {
  std::string encoded;
  for (const char c : word) {
    if (is_plain(c)) {
      encoded += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded += {kMark, kHex[byte >> 4U], kHex[byte & 15U]};
    }
  }
  return encoded;
}

bool is_empty_value(std::string_view word) {
  return word.starts_with("--") && word.find('=') == word.size() - 1;
}

}  // namespace

std::vector<std::string> encode_words(const std::vector<std::string>& words) {
  std::vector<std::string> encoded;
  bool options = true;
  for (const std::string_view word : words) {
    options = options && word != "--";
    if (options && is_empty_value(word)) {
      encoded.push_back(encode(word.substr(0, word.size() - 1)));
      encoded.emplace_back();
    } else {
      encoded.push_back(encode(word));
    }
  }
  return encoded;
}

std::string decode_words(std::string_view text) {
  std::string decoded;
  while (!text.empty()) {
    const std::size_t mark = std::min(text.find(kMark), text.size());
    decoded += text.substr(0, mark);
    text.remove_prefix(mark);
    if (text.empty()) break;
    unsigned byte = 0;
    const std::string_view digits = text.substr(1, 2);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    const bool is_encoded = digits.size() == 2 && end == digits.data() + 2;
    decoded += is_encoded ? static_cast<char>(byte) : kMark;
    text.remove_prefix(is_encoded ? 3 : 1);
  }
  return decoded;
}

}  // namespace concur
