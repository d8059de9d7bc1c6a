#include "rules/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <optional>

namespace concur {

namespace {

using Bytes = std::array<char, 16>;

std::optional<Bytes> read(int family, std::string_view text) {
  // Beyond the longest address there is, no copy is made of what may be long.
  if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  const std::string terminated(text);
  Bytes bytes{};
  if (inet_pton(family, terminated.c_str(), bytes.data()) != 1) return std::nullopt;
  return bytes;
}

std::string write(int family, const char* bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(family, bytes, text.data(), text.size());
  return text.data();
}

bool is_mapped(const Bytes& six) {
  constexpr std::array<char, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '\xFF', '\xFF'};
  return std::equal(kMapped.begin(), kMapped.end(), six.begin());
}

// A colon and a port, or nothing; some write the colon alone.
bool is_port(std::string_view text) {
  if (text.empty()) return true;
  if (text.front() != ':' || text.size() > sizeof ":65535" - 1) return false;
  return std::all_of(text.begin() + 1, text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string_view without_spaces(std::string_view text) {
  const std::size_t from = text.find_first_not_of(" \t");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

// The first element that says something.
std::string_view first_of(std::string_view list) {
  while (true) {
    const std::size_t end = std::min(list.find(','), list.size());
    const std::string_view first = without_spaces(list.substr(0, end));
    if (!first.empty() || end == list.size()) return first;
    list.remove_prefix(end + 1);
  }
}

std::optional<std::string> read_six(std::string_view text) {
  const auto six = read(AF_INET6, text.substr(0, text.find('%')));
  if (!six) return std::nullopt;
  if (is_mapped(*six)) return write(AF_INET, six->data() + 12);
  return write(AF_INET6, six->data());
}

std::optional<std::string> read_bracketed(std::string_view text) {
  const std::size_t end = text.find(']');
  if (end == std::string_view::npos || !is_port(text.substr(end + 1))) return std::nullopt;
  return read_six(text.substr(1, end - 1));
}

std::optional<std::string> read_four(std::string_view text) {
  const std::size_t end = std::min(text.find(':'), text.size());
  const auto four = read(AF_INET, text.substr(0, end));
  if (!four || !is_port(text.substr(end))) return std::nullopt;
  return write(AF_INET, four->data());
}

}  // namespace

std::string bare_address(std::string_view text) {
  const std::string_view first = first_of(text);
  std::optional<std::string> bare;
  if (first.starts_with('[')) {
    bare = read_bracketed(first);
  } else {
    bare = read_four(first);
    if (!bare) bare = read_six(first);
  }
  return bare ? std::move(*bare) : std::string(text);
}

std::string household_of(std::string_view address) {
  const auto six = read(AF_INET6, address);
  if (!six) return std::string(address);
  return is_mapped(*six) ? write(AF_INET, six->data() + 12) : std::string(six->data(), 8);
}

std::string network_of(std::string_view address) {
  if (address.find(':') == std::string_view::npos) return std::string(address);
  return network_if_address(address).value_or(std::string(address));
}

std::optional<std::string> network_if_address(std::string_view address) {
  if (const auto four = read(AF_INET, address)) return write(AF_INET, four->data());
  auto six = read(AF_INET6, address);
  if (!six) return std::nullopt;
  if (is_mapped(*six)) return write(AF_INET, six->data() + 12);
  std::fill(six->begin() + 8, six->end(), '\0');
  return write(AF_INET6, six->data());
}

}  // namespace concur
