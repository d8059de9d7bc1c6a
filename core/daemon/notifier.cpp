#include "daemon/notifier.hpp"

#include "base/text.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

#include <charconv>
#include <cstddef>
#include <cstdint>

namespace concur {

namespace {

using SteadyClock = std::chrono::steady_clock;

std::optional<std::uint64_t> number_in(const Environment& environment, const std::string& name) {
  const auto text = environment(name);
  if (!text) return std::nullopt;
  std::uint64_t value = 0;
  const char* end = text->data() + text->size();
  const auto [rest, failed] = std::from_chars(text->data(), end, value);
  if (failed != std::errc() || rest != end) return std::nullopt;
  return value;
}

// An `@` in front stands for the zero byte of an abstract address.
Fd connect_to(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const bool known = name.starts_with('/') || name.starts_with('@');
  if (!known || name.size() >= sizeof address.sun_path) return Fd();
  name.copy(address.sun_path, name.size());
  if (name.front() == '@') address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto* to = reinterpret_cast<const sockaddr*>(&address);
  constexpr timeval kPatience{1, 0};
  if (!fd || setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience) != 0 ||
      connect(fd.get(), to, size) != 0) {
    return Fd();
  }
  return fd;
}

std::int64_t monotonic_microseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

}  // namespace

Notifier::Notifier(const Environment& environment, pid_t self) {
  const auto name = environment("NOTIFY_SOCKET");
  if (!name || name->empty()) return;
  fd_ = connect_to(*name);
  const auto every = number_in(environment, "WATCHDOG_USEC");
  const auto whom = number_in(environment, "WATCHDOG_PID");
  const bool ours = !whom || *whom == static_cast<std::uint64_t>(self);
  if (fd_ && every && *every > 0 && ours) watchdog_ = std::chrono::microseconds(*every);
}

void Notifier::ready() { say("READY=1"); }

// The time lets Type=notify-reload distinguish this reload from an earlier one.
void Notifier::reloading() {
  say(text::format("RELOADING=1\nMONOTONIC_USEC={}", monotonic_microseconds()));
}

void Notifier::stopping() { say("STOPPING=1"); }

// Of these one more or less does not matter: those before it are still unread.
void Notifier::alive() { say("WATCHDOG=1", MSG_DONTWAIT); }

void Notifier::needs_time() {
  constexpr auto kEvery = std::chrono::seconds(1);
  if (!fd_ || SteadyClock::now() < next_plea_) return;
  next_plea_ = SteadyClock::now() + kEvery;
  say("EXTEND_TIMEOUT_USEC=60000000", MSG_DONTWAIT);
}

void Notifier::say(std::string_view text, int flags) const {
  if (fd_) static_cast<void>(send(fd_.get(), text.data(), text.size(), flags | MSG_NOSIGNAL));
}

}  // namespace concur
