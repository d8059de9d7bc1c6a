#include "watch_state.hpp"

#include "answer_values.hpp"
#include "base/fd.hpp"
#include "base/text.hpp"
#include "base/text_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace concur::cli {

namespace {

constexpr std::size_t kMaxState = 4096;

ErrorKind kind_of(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EIO:
    case EFBIG:
      return ErrorKind::kUnavailable;
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorKind::kForbidden;
    default:
      return ErrorKind::kInvalid;
  }
}

Error cannot_write(const std::string& path, int error) {
  return {kind_of(error), text::format("cannot write {}: {}", path, std::strerror(error))};
}

// 0, or errno.
int write_durably(const Fd& file, std::string_view text) {
  const ssize_t written = ::write(file.get(), text.data(), text.size());
  if (written < 0) return errno;
  if (static_cast<std::size_t>(written) != text.size()) return ENOSPC;
  return ::fsync(file.get()) == 0 ? 0 : errno;
}

}  // namespace

Result<std::optional<EventMark>> WatchState::load() const {
  const auto file = read_text_file(path_, kMaxState, std::chrono::milliseconds(0));
  if (!file && file.error().kind == ErrorKind::kAbsent) return std::optional<EventMark>();
  if (!file) {
    return Error{file.error().kind,
                 text::format("cannot read {}: {}", path_, file.error().message)};
  }
  const auto members = read_object(file->text);
  const auto boot = members ? text_of(*members, "boot") : std::nullopt;
  if (!boot || boot->empty() || !members->contains("seq")) {
    return Error{ErrorKind::kInvalid,
                 text::format("cannot read {}: it is not what concur watch --state has written; "
                              "name another file, or remove it to begin with what happens from "
                              "now on",
                              path_)};
  }
  return std::optional<EventMark>({*boot, count_of(*members, "seq")});
}

Result<void> WatchState::save(const EventMark& mark) const {
  std::string line = "{\"boot\":";
  append_json(line, boost::json::value(mark.boot));
  line += text::format(",\"seq\":{}}}\n", mark.seq);
  const std::string fresh = path_ + ".new";
  const Fd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  int error = file ? write_durably(file, line) : errno;
  if (error == 0 && std::rename(fresh.c_str(), path_.c_str()) != 0) error = errno;
  if (error == 0) return {};
  if (file) ::unlink(fresh.c_str());
  return cannot_write(path_, error);
}

}  // namespace concur::cli
