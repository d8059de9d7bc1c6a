#include "backup.hpp"

#include "ask.hpp"
#include "base/fd.hpp"
#include "base/free_name.hpp"
#include "base/json_text.hpp"
#include "base/text.hpp"
#include "output.hpp"
#include "request.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace concur::cli {

namespace {

using SteadyClock = std::chrono::steady_clock;

// The daemon copies the database first, which takes as long as it is large.
constexpr Millis kCopyTime = std::chrono::minutes(10);

// Another name mends the first ones; what the disk or the system refuses is no fault of the command
// line.
ErrorKind kind_of(int cause) {
  switch (cause) {
    case EEXIST:
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
      return ErrorKind::kInvalid;
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorKind::kForbidden;
    default:
      return ErrorKind::kUnavailable;
  }
}

Error cannot_write(const std::string& path, int cause) {
  return {kind_of(cause), text::format("cannot write {}: {}", path, std::strerror(cause))};
}

// A file under another name beside its own, which it gets when it is whole.
class NewFile {
 public:
  explicit NewFile(std::string path) : path_(std::move(path)), part_(path_ + ".part") {}
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() {
    if (fd_) unlink(part_.c_str());
  }

  Result<void> open() {
    if (access(path_.c_str(), F_OK) == 0) return cannot_write(path_, EEXIST);
    fd_ = Fd(::open(part_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd_) return cannot_write(part_, errno);
    return {};
  }

  Result<void> write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t written = ::write(fd_.get(), text.data(), text.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return cannot_write(part_, errno);
      text.remove_prefix(static_cast<std::size_t>(written));
      size_ += static_cast<std::size_t>(written);
    }
    return {};
  }

  Result<void> commit() {
    if (fsync(fd_.get()) != 0) return cannot_write(part_, errno);
    if (const int cause = rename_to_free_name(part_, path_); cause != 0) {
      return cannot_write(path_, cause);
    }
    fd_.close();
    const auto folder = std::filesystem::absolute(path_).parent_path();
    const Fd entry(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (entry) fsync(entry.get());  // its name, too
    return {};
  }

  std::size_t size() const { return size_; }

 private:
  std::string path_;
  std::string part_;
  Fd fd_;
  std::size_t size_ = 0;
};

// Waits for the next piece of the answer, and reads it.
Result<void> receive(ClientStream& stream, Millis timeout) {
  pollfd entry{.fd = stream.fd(), .events = stream.events(true), .revents = 0};
  const Millis patience = stream.answered() ? timeout : std::max(timeout, kCopyTime);
  const auto most = static_cast<int>(std::min<Millis::rep>(patience.count(), INT_MAX));
  if (::poll(&entry, 1, most) == 0) return no_answer_within(patience, stream.path());
  return stream.advance(true);
}

}  // namespace

Result<ExitCode> run_backup(Client& client, const Backup& backup) {
  NewFile file(backup.file);
  if (auto opened = file.open(); !opened) return std::move(opened).error();
  const Request request = request_of(backup);
  auto stream = client.open(request.method, request.target, ClientStream::Body::kNone);
  if (!stream) return std::move(stream).error();
  std::string refusal;
  while (!stream->done()) {
    if (auto received = receive(*stream, client.timeout()); !received) {
      return std::move(received).error();
    }
    if (!stream->answered()) continue;
    const std::string part = stream->take_body();
    if (stream->status() != 200) {
      refusal += part;
    } else if (stream->json()) {
      return Error{ErrorKind::kCorrupt, "cannot back up: the answer is not concurrencyd's"};
    } else if (auto written = file.write(part); !written) {
      return std::move(written).error();
    }
  }
  if (stream->status() != 200) {
    return pass_on(Backup::kVerb, {stream->status(), true, std::move(refusal)}, false);
  }
  if (auto committed = file.commit(); !committed) return std::move(committed).error();
  auto written = write_output(
      text::format("{{\"file\":{},\"bytes\":{}}}\n", json_string(backup.file), file.size()));
  if (!written) return std::move(written).error();
  return ExitCode::kDone;
}

}  // namespace concur::cli
