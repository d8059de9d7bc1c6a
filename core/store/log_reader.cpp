#include "store/log_reader.hpp"

#include "base/fd.hpp"
#include "store/big_endian.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>

namespace concur {

namespace {

constexpr std::size_t kHeaderSize = 32;
constexpr std::size_t kFrameHeaderSize = 24;
constexpr std::uint32_t kLogMagic = 0x377F'0682;  // one more where sums are of big-endian words

struct Sum {
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  bool operator==(const Sum&) const = default;
};

Sum sum_at(std::string_view bytes, std::size_t at) {
  return {static_cast<std::uint32_t>(number_at(bytes, at, 4)),
          static_cast<std::uint32_t>(number_at(bytes, at + 4, 4))};
}

struct LogHeader {
  std::uint32_t page_size = 4096;
  bool big_endian = std::endian::native == std::endian::big;
  std::uint64_t salt = 0;  // the same in each frame since the log began anew
  Sum sum;
};

// Of bytes whose number is a multiple of eight, behind others of that sum.
Sum add(Sum sum, std::string_view bytes, bool big_endian) {
  const auto word = [&](std::size_t at) {
    const auto value = static_cast<std::uint32_t>(number_at(bytes, at, 4));
    return big_endian ? value : __builtin_bswap32(value);
  };
  for (std::size_t at = 0; at < bytes.size(); at += 8) {
    sum.first += word(at) + sum.second;
    sum.second += word(at + 4) + sum.first;
  }
  return sum;
}

bool is_page_size(std::uint64_t size) {
  return std::has_single_bit(size) && size >= 512 && size <= 65536;
}

// Where the header is damaged the log is read as ours are made, and the first frame says which
// others are of its time.
std::optional<LogHeader> read_header(int log) {
  std::string bytes(kHeaderSize + kFrameHeaderSize, '\0');
  if (pread(log, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return std::nullopt;
  }
  LogHeader header;
  header.sum = sum_at(bytes, 24);
  header.salt = number_at(bytes, kHeaderSize + 8, 8);
  const auto magic = static_cast<std::uint32_t>(number_at(bytes, 0, 4));
  const bool big_endian = magic == kLogMagic + 1;
  const std::uint64_t page_size = number_at(bytes, 8, 4);
  const bool is_sound = (magic & ~1U) == kLogMagic && is_page_size(page_size) &&
                        add({}, std::string_view(bytes).substr(0, 24), big_endian) == header.sum;
  if (!is_sound) return header;
  header.big_endian = big_endian;
  header.page_size = static_cast<std::uint32_t>(page_size);
  header.salt = number_at(bytes, 16, 8);
  return header;
}

class Log {
 public:
  Log(int fd, const LogHeader& header, off_t size)
      : fd_(fd), header_(header), frame_size_(kFrameHeaderSize + header.page_size) {
    frames_ = static_cast<std::size_t>(size - static_cast<off_t>(kHeaderSize)) / frame_size_;
  }

  std::size_t frames() const { return frames_; }

  // Reads them one after the other. False where the frame is damaged or of another time.
  bool next() {
    const Sum before = read_ == 0 ? header_.sum : sum_at(frame_, 16);
    frame_.assign(frame_size_, '\0');
    const auto at = static_cast<off_t>(kHeaderSize + read_++ * frame_size_);
    if (pread(fd_, frame_.data(), frame_size_, at) != static_cast<ssize_t>(frame_size_)) {
      return false;
    }
    if (number_at(frame_, 8, 8) != header_.salt || page() == 0) return false;
    const Sum begun = add(before, std::string_view(frame_).substr(0, 8), header_.big_endian);
    return add(begun, content(), header_.big_endian) == sum_at(frame_, 16);
  }

  // Of the frame that was read last: the page's number and content; how many pages the database has
  // since the transaction that this frame ends, 0 where it ends none.
  std::uint32_t page() const { return static_cast<std::uint32_t>(number_at(frame_, 0, 4)); }
  std::uint32_t pages() const { return static_cast<std::uint32_t>(number_at(frame_, 4, 4)); }
  std::string_view content() const { return std::string_view(frame_).substr(kFrameHeaderSize); }

 private:
  int fd_;
  LogHeader header_;
  std::size_t frame_size_;
  std::size_t frames_ = 0;
  std::size_t read_ = 0;
  std::string frame_;
};

}  // namespace

Result<LogReport> put_log_in(const std::string& log, const std::string& into) {
  const auto failed = [] { return Error{ErrorKind::kUnavailable, std::strerror(errno)}; };
  const Fd in(open(log.c_str(), O_RDONLY | O_CLOEXEC));
  if (!in && errno == ENOENT) return LogReport{};
  struct stat info {};
  if (!in || fstat(in.get(), &info) != 0) return failed();
  const Fd out(open(into.c_str(), O_WRONLY | O_CLOEXEC));
  if (!out) return failed();
  const auto header = read_header(in.get());
  if (!header) return LogReport{};

  std::size_t finished = 0;  // how many frames there are up to the last that ends a transaction
  Log look(in.get(), *header, info.st_size);
  for (std::size_t frame = 1; frame <= look.frames(); ++frame) {
    if (look.next() && look.pages() != 0) finished = frame;
  }
  LogReport report;
  Log take(in.get(), *header, info.st_size);
  for (std::size_t frame = 1; frame <= finished; ++frame) {
    if (!take.next()) {
      ++report.damaged;
      continue;
    }
    const auto at = static_cast<off_t>(take.page() - 1) * header->page_size;
    const auto size = static_cast<ssize_t>(take.content().size());
    if (pwrite(out.get(), take.content().data(), take.content().size(), at) != size) {
      return failed();
    }
    ++report.frames;
  }
  if (finished == 0 || fstat(out.get(), &info) != 0) return report;
  const auto end = static_cast<off_t>(take.pages()) * header->page_size;
  if (info.st_size > end && ftruncate(out.get(), end) != 0) return failed();
  return report;
}

}  // namespace concur
