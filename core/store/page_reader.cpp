#include "store/page_reader.hpp"

#include "store/big_endian.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace concur {

namespace {

constexpr std::string_view kMagic{"SQLite format 3\0", 16};
constexpr std::uint64_t kMaxPayload = std::uint64_t{1} << 20;  // no row of ours comes near
constexpr std::size_t kMaxValues = 64;

constexpr unsigned char kKeyedInner = 2;
constexpr unsigned char kInner = 5;
constexpr unsigned char kKeyedLeaf = 10;
constexpr unsigned char kLeaf = 13;

// Takes numbers off the front, and nothing from beyond the end.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}

  bool at_end() const { return bytes_.empty(); }
  std::string_view rest() const { return bytes_; }

  std::optional<std::string_view> take(std::uint64_t size) {
    if (size > bytes_.size()) return std::nullopt;
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }

  std::optional<std::uint64_t> take_varint() {
    constexpr std::size_t kMaxBytes = 9;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < kMaxBytes && i < bytes_.size(); ++i) {
      const auto byte = static_cast<unsigned char>(bytes_[i]);
      const bool is_last = i == kMaxBytes - 1;  // the ninth has eight bits of the number
      value = is_last ? value << 8 | byte : value << 7 | (byte & 0x7FU);
      if (is_last || byte < 0x80) {
        bytes_.remove_prefix(i + 1);
        return value;
      }
    }
    return std::nullopt;
  }

 private:
  std::string_view bytes_;
};

std::optional<Value> take_integer(Cursor& body, std::size_t size) {
  const auto bytes = body.take(size);
  if (!bytes) return std::nullopt;
  const std::size_t unused = 64 - 8 * size;
  const std::uint64_t value = number_at(*bytes, 0, size) << unused;
  return std::bit_cast<std::int64_t>(value) >> unused;
}

std::optional<Value> take_value(Cursor& body, std::uint64_t type) {
  constexpr std::size_t kIntegerSizes[] = {0, 1, 2, 3, 4, 6, 8};
  if (type == 0) return std::monostate();
  if (type < std::size(kIntegerSizes)) return take_integer(body, kIntegerSizes[type]);
  if (type == 8 || type == 9) return static_cast<std::int64_t>(type - 8);
  if (type < 12) return std::nullopt;
  const auto bytes = body.take((type - 12) / 2);
  if (!bytes) return std::nullopt;
  if (type % 2 == 0) return Blob{std::string(*bytes)};
  return std::string(*bytes);
}

// A record fills its payload to the byte.
std::optional<std::vector<Value>> parse_record(std::string_view payload) {
  Cursor record(payload);
  const auto header = record.take_varint();
  if (!header) return std::nullopt;
  const std::size_t length = payload.size() - record.rest().size();
  if (*header < length || *header > payload.size()) return std::nullopt;
  Cursor types(payload.substr(length, *header - length));
  Cursor body(payload.substr(*header));
  std::vector<Value> values;
  while (!types.at_end()) {
    const auto type = types.take_varint();
    auto value = type ? take_value(body, *type) : std::nullopt;
    if (!value || values.size() == kMaxValues) return std::nullopt;
    values.push_back(std::move(*value));
  }
  if (!body.at_end()) return std::nullopt;
  return values;
}

}  // namespace

Result<PageReader> PageReader::open(const std::string& path) {
  PageReader reader(Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)));
  struct stat info {};
  if (!reader.fd_ || fstat(reader.fd_.get(), &info) != 0) {
    return Error{ErrorKind::kUnavailable, std::strerror(errno)};
  }
  reader.read_header();
  reader.pages_ = static_cast<std::uint32_t>(
      std::min<std::int64_t>(info.st_size / reader.page_size_, 0xFFFF'FFFE));
  std::string first;
  if (!reader.load(1, first) || !first.starts_with(kMagic)) return reader;
  const auto said = static_cast<std::uint32_t>(number_at(first, 28, 4));
  // The number counts only where the writer vouched for it, which the same counter at two places
  // says.
  const bool holds = number_at(first, 24, 4) == number_at(first, 92, 4);
  if (holds && said > reader.pages_) reader.missing_ = said - reader.pages_;
  return reader;
}

// Where the first page is damaged the file is read as every database of ours is made.
void PageReader::read_header() {
  std::string first(100, '\0');
  const bool whole = pread(fd_.get(), first.data(), first.size(), 0) == 100;
  if (!whole || !first.starts_with(kMagic)) return;
  std::uint64_t size = number_at(first, 16, 2);
  if (size == 1) size = 65536;
  const std::uint64_t reserved = number_at(first, 20, 1);
  if (!std::has_single_bit(size) || size < 512 || reserved > 32) return;
  page_size_ = static_cast<std::uint32_t>(size);
  usable_ = page_size_ - static_cast<std::uint32_t>(reserved);
  has_map_ = number_at(first, 52, 4) != 0;
}

bool PageReader::load(std::uint32_t number, std::string& into) const {
  if (number == 0 || number > pages_) return false;
  into.resize(page_size_);
  const auto offset = static_cast<off_t>(number - 1) * page_size_;
  return pread(fd_.get(), into.data(), page_size_, offset) == static_cast<ssize_t>(page_size_);
}

// The second page, and then each that follows those that fit into the one before.
std::uint32_t PageReader::map_page_of(std::uint32_t number) const {
  const std::uint32_t group = usable_ / 5 + 1;
  return (number - 2) / group * group + 2;
}

PageReader::Mapped PageReader::mapped(std::uint32_t number) {
  if (!has_map_) return Mapped::kUnknown;
  const std::uint32_t at = map_page_of(number);
  const auto type_at = [this](std::uint32_t entry) {
    return static_cast<unsigned char>(map_[std::size_t{entry} * 5]);
  };
  if (map_number_ != at) {
    map_number_ = at;
    if (!load(at, map_)) map_.clear();
    // One bad entry, and none of them is believed: a page that were taken for a free one would be
    // lost without a word.
    const std::uint32_t entries = std::min(usable_ / 5, pages_ - std::min(pages_, at));
    for (std::uint32_t entry = 0; entry < entries && !map_.empty(); ++entry) {
      if (type_at(entry) < 1 || type_at(entry) > 5) map_.clear();
    }
  }
  return map_.empty() ? Mapped::kUnknown : static_cast<Mapped>(type_at(number - at - 1));
}

PageContent PageReader::read(std::uint32_t number) {
  PageContent content;
  const std::uint32_t lock_page = (std::uint32_t{1} << 30) / page_size_ + 1;
  if (number < 2 || number == lock_page) return content;
  if (has_map_ && map_page_of(number) == number) return content;
  const Mapped mapped_as = mapped(number);
  if (mapped_as == Mapped::kFree) return content;

  std::string page;
  const bool loaded = load(number, page);
  const unsigned char type = loaded ? static_cast<unsigned char>(page[0]) : 0;
  const bool is_leaf = type == kLeaf || type == kKeyedLeaf;
  if (!is_leaf && type != kInner && type != kKeyedInner) {
    // What continues a row begins with the number of a page, whose first byte is 0.
    const bool should_be = mapped_as == Mapped::kTree || mapped_as == Mapped::kRoot;
    const bool may_be = mapped_as == Mapped::kUnknown && type != 0;
    if (should_be || may_be) content.kind = PageContent::Kind::kUnreadable;
    return content;
  }
  content.keyed = type == kKeyedLeaf || type == kKeyedInner;
  const std::size_t pointers = is_leaf ? 8 : 12;
  const std::size_t cells = number_at(page, 3, 2);
  if (pointers + 2 * cells > usable_) {
    content.kind = PageContent::Kind::kUnreadable;
    return content;
  }
  if (type == kInner || cells == 0) return content;
  for (std::size_t cell = 0; cell < cells; ++cell) {
    const std::size_t at = number_at(page, pointers + 2 * cell, 2);
    const bool inside = at >= pointers + 2 * cells && at < usable_;
    if (!inside || !read_cell(std::string_view(page).substr(0, usable_), at, is_leaf, content)) {
      ++content.unreadable_rows;
    }
  }
  content.kind = content.rows.empty() ? PageContent::Kind::kUnreadable : PageContent::Kind::kRows;
  return content;
}

// False where there is no row of ours.
bool PageReader::read_cell(std::string_view page, std::size_t at, bool is_leaf, PageContent& into) {
  Cursor cell(page.substr(at));
  if (!is_leaf && !cell.take(4)) return false;
  const auto size = cell.take_varint();
  if (!size || *size > kMaxPayload) return false;
  std::optional<std::uint64_t> id;
  if (!into.keyed && !(id = cell.take_varint())) return false;
  std::string payload;
  if (!read_payload(cell.rest(), *size, into.keyed, payload)) return false;
  auto values = parse_record(payload);
  if (!values || values->empty()) return false;
  if (id && std::holds_alternative<std::monostate>(values->front())) {
    values->front() = std::bit_cast<std::int64_t>(*id);
  }
  into.rows.push_back(std::move(*values));
  return true;
}

// What does not fit beside the others on a page goes on elsewhere, in a chain of pages.
bool PageReader::read_payload(std::string_view local, std::uint64_t size, bool keyed,
                              std::string& into) {
  const std::uint64_t most = keyed ? (usable_ - 12) * 64 / 255 - 23 : usable_ - 35;
  std::uint64_t here = size;
  if (size > most) {
    const std::uint64_t least = (usable_ - 12) * 32 / 255 - 23;
    here = least + (size - least) % (usable_ - 4);
    if (here > most) here = least;
  }
  Cursor cell(local);
  const auto begin = cell.take(here);
  if (!begin) return false;
  into = *begin;
  if (into.size() == size) return true;
  const auto link = cell.take(4);
  if (!link) return false;
  auto next = static_cast<std::uint32_t>(number_at(*link, 0, 4));
  std::string page;
  while (into.size() < size) {  // each page adds some, so that a circle ends too
    if (!load(next, page)) return false;
    next = static_cast<std::uint32_t>(number_at(page, 0, 4));
    into.append(page, 4, std::min<std::uint64_t>(usable_ - 4, size - into.size()));
  }
  return true;
}

}  // namespace concur
