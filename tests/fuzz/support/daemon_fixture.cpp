#include "support/daemon_fixture.hpp"

#include "support/claim.hpp"
#include "support/temp_folder.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <optional>
#include <utility>
#include <variant>

namespace concur::fuzz {

namespace {

namespace fs = std::filesystem;

constexpr auto kPatience = std::chrono::seconds(15);  // of the real clock, for what must end

template <class T>
T must(Result<T> result) {
  claim(result.has_value(), result ? "" : result.error().message);
  return std::move(*result);
}

// A database as it is after the first start, to be copied: making one takes long.
std::string fresh_database() {
  static const test::TempFolder folder;
  static const std::string blank = [] {
    std::string path = folder.file("blank.db");
    must(Store::open(path, Durability::kNormal, "boot"));
    return path;
  }();
  std::string path = folder.file("sessions.db");
  for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(path + suffix);
  fs::copy_file(blank, path);
  return path;
}

}  // namespace

DaemonFixture::DaemonFixture(Role client)
    : gate_(client),
      path_(fresh_database()),
      service_(runner_, events_, clock_, log_, Registry(Policy{}, 1),
               must(Store::open(path_, Durability::kNormal, "boot")), path_),
      api_(service_, events_, memory_, clock_, log_) {
  api_.set_info({"fuzz", 1, clock_.now().instant, [] { return std::size_t{1}; }, 1});
  std::array<int, 2> ends{};
  claim(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) == 0,
        "there are sockets");
  client_ = Fd(ends[0]);
  connection_ = std::make_shared<Connection>(Fd(ends[1]), poller_, gate_, api_, memory_, tick_,
                                             [this](Connection&) { closed_ = true; });
  connection_->open();
}

DaemonFixture::~DaemonFixture() { connection_->close(); }

void DaemonFixture::send(std::string_view bytes) {
  while (!bytes.empty() && !closed_) {
    const ssize_t sent =
        ::send(client_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    const bool full = sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (sent < 0 && !full) return;
    if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
    work();
  }
}

void DaemonFixture::pass(std::chrono::seconds time) {
  clock_.tick(time);
  tick_ += static_cast<Tick>(time.count());
  if (!closed_) connection_->check_time();
  work();
}

// What the journal still does is known; reports and copies are read beside it, and finish() waits
// for their answers.
bool DaemonFixture::busy() const {
  return std::get<DatabaseStatus>(service_.status().storage).waiting_changes > 0;
}

void DaemonFixture::work() {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (true) {
    loop_.restart();
    const std::size_t done = loop_.poll();
    receive();
    if (done > 0) continue;
    if (!busy()) return;
    claim(std::chrono::steady_clock::now() < end, "a commit comes to its end");
    loop_.run_one_for(std::chrono::milliseconds(1));
  }
}

void DaemonFixture::receive() {
  std::array<char, 16384> buffer;
  while (true) {
    const ssize_t got = ::recv(client_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got <= 0) return;
    received_.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

std::string DaemonFixture::finish() {
  shutdown(client_.get(), SHUT_WR);
  work();
  if (!closed_) connection_->drain();
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!closed_) {
    claim(std::chrono::steady_clock::now() < end, "a connection comes to its end");
    work();
    loop_.restart();
    if (!closed_) loop_.run_one_for(std::chrono::milliseconds(1));
  }
  receive();
  return std::move(received_);
}

void DaemonFixture::stop() {
  bool stopped = false;
  service_.finish([&stopped] { stopped = true; });
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!stopped) {
    claim(std::chrono::steady_clock::now() < end, "a service comes to its end");
    work();
    loop_.restart();
    if (!stopped) loop_.run_one_for(std::chrono::milliseconds(1));
  }
}

std::set<DaemonFixture::Name> DaemonFixture::active() {
  std::set<Name> names;
  Cursor next;
  do {
    const Cursor after = std::exchange(next, {});
    service_.submit(
        ListAll{after, kMaxListed}, clock_.now(), [&names, &next](const Result<Answer>& answer) {
          claim(answer.has_value(), "all can be listed");
          const Page& page = std::get<Page>(*answer);
          for (const SessionInfo& each : page.sessions) {
            claim(names.emplace(each.user, each.session).second, "a session is there once");
          }
          next = page.next;
        });
  } while (!next.empty());
  return names;
}

std::set<DaemonFixture::Name> DaemonFixture::stored() const {
  std::set<Name> names;
  Store store = must(Store::open(path_, Durability::kNormal, "boot"));
  const LoadReport report = must(store.load(clock_.now(), [&names](const StoredRow& row) {
    const auto* session = std::get_if<Row>(&row);
    return session == nullptr || names.emplace(session->user, session->session).second;
  }));
  claim(report.refused == 0, "all that was stored is valid");
  return names;
}

}  // namespace concur::fuzz
