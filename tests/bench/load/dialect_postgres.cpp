#include "load/dialect.hpp"

#include <fmt/format.h>

#include <sys/socket.h>

#include <array>
#include <charconv>
#include <stdexcept>
#include <vector>

namespace concur::bench {
namespace {

// The small part of PostgreSQL's protocol, version 3, that runs a prepared statement: a message is
// a letter, a length that counts itself, and that much less four bytes.
constexpr std::size_t kMessageHead = 5;
constexpr std::uint32_t kProtocolVersion = 196'608;
constexpr timeval kGreetWait{.tv_sec = 5, .tv_usec = 0};

constexpr std::array<std::string_view, kOperations> kStatements{
    "SELECT session_start($1, $2, $3, $4, $5)", "SELECT session_heartbeat($1, $2, $3, $4)",
    "SELECT session_end($1, $2, $3)"};

void put_number(std::string& out, std::uint32_t number, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out += static_cast<char>(number >> static_cast<unsigned>(shift) & 255U);
  }
}

std::uint32_t number_at(std::string_view bytes, std::size_t at, std::size_t count) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < count; ++i) {
    number = number << 8U | static_cast<unsigned char>(bytes[at + i]);
  }
  return number;
}

std::string message(char type, std::string_view content) {
  std::string text(1, type);
  put_number(text, static_cast<std::uint32_t>(content.size() + 4), 4);
  return text.append(content);
}

std::string text_of(std::string_view value) { return std::string(value) + '\0'; }

std::string statement_name(std::size_t operation) { return text_of(std::to_string(operation)); }

/// The length of the message at `at` without its letter; 0 while it is incomplete.
std::size_t length_at(std::string_view bytes, std::size_t at) {
  if (bytes.size() < at + kMessageHead) {
    return 0;
  }
  const std::size_t length = number_at(bytes, at + 1, 4);
  return bytes.size() > at + length ? length : 0;
}

long value_of(std::string_view row) {
  constexpr std::size_t kValueAt = kMessageHead + 2 + 4;
  long value = 0;
  if (row.size() <= kValueAt ||
      std::from_chars(row.data() + kValueAt, row.data() + row.size(), value).ec != std::errc{}) {
    throw std::runtime_error("cannot read a row: it is not one number");
  }
  return value;
}

// One answer is all up to ReadyForQuery.
Answer read_postgres(std::string_view bytes, Operation operation) {
  int status = kMalformed;
  std::size_t at = 0;
  while (const std::size_t length = length_at(bytes, at)) {
    const std::string_view found = bytes.substr(at, 1 + length);
    at += found.size();
    switch (found[0]) {
      case 'D':
        status = status_of_count(value_of(found), operation);
        break;
      case 'Z':
        return {.head = at, .body = 0, .status = status};
      default:
        break;
    }
  }
  return {};
}

void put_parameter(std::string& out, std::string_view value) {
  put_number(out, static_cast<std::uint32_t>(value.size()), 4);
  out += value;
}

RequestTemplate make_request(std::size_t operation, const std::vector<std::string>& arguments) {
  RequestTemplate request{};
  // No name of a portal, and all values as text.
  std::string bind = text_of("") + statement_name(operation);
  put_number(bind, 0, 2);
  put_number(bind, static_cast<std::uint32_t>(3 + arguments.size()), 2);
  const auto put_name = [&bind](std::size_t length) {
    put_parameter(bind, std::string(length, '0'));
    return kMessageHead + bind.size() - length;
  };
  request.user_at = put_name(kUserLength);
  request.session_at = put_name(kSessionLength);
  request.time_at = put_name(kTimeLength);
  for (const std::string& argument : arguments) {
    put_parameter(bind, argument);
  }
  put_number(bind, 0, 2);
  request.bytes =
      message('B', bind) + message('E', text_of("") + std::string(4, '\0')) + message('S', "");
  return request;
}

void send_all(const Fd& fd, std::string_view bytes) {
  if (::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(bytes.size())) {
    throw std::runtime_error("cannot greet the server: it does not listen");
  }
}

void wait_until_ready(const Fd& fd) {
  std::string answer;
  std::array<char, 4096> chunk;
  std::size_t at = 0;
  for (;;) {
    while (const std::size_t length = length_at(answer, at)) {
      const char type = answer[at];
      if (type == 'E') {
        throw std::runtime_error(
            fmt::format("cannot greet the server: {}", answer.substr(at + kMessageHead, length)));
      }
      at += 1 + length;
      if (type == 'Z') {
        return;
      }
    }
    const ssize_t got = ::recv(fd.get(), chunk.data(), chunk.size(), 0);
    if (got <= 0) {
      throw std::runtime_error("cannot greet the server: no answer");
    }
    answer.append(chunk.data(), static_cast<std::size_t>(got));
  }
}

void greet(const Fd& fd) {
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kGreetWait, sizeof kGreetWait);
  std::string hello;
  put_number(hello, kProtocolVersion, 4);
  hello += text_of("user") + text_of("bench") + text_of("database") + text_of("postgres") + '\0';
  // The first message has no letter.
  send_all(fd, message('\0', hello).substr(1));
  wait_until_ready(fd);
  std::string statements;
  for (std::size_t operation = 0; operation < kStatements.size(); ++operation) {
    std::string parse = statement_name(operation) + text_of(kStatements[operation]);
    put_number(parse, 0, 2);
    statements += message('P', parse);
  }
  send_all(fd, statements + message('S', ""));
  wait_until_ready(fd);
}

}  // namespace

Dialect postgres_dialect(const PeerTerms& terms) {
  const std::string lease_ms = std::to_string(std::chrono::milliseconds(terms.lease).count());
  return {.requests = {make_request(0, {lease_ms, std::to_string(terms.limit)}),
                       make_request(1, {lease_ms}), make_request(2, {})},
          .read = &read_postgres,
          .head = {},
          .greet = &greet};
}

}  // namespace concur::bench
