#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace concur {

struct Blob {
  std::string bytes;
};
using Value = std::variant<std::monostate, std::int64_t, std::string, Blob>;

// What can be read of one page of a database by itself.
struct PageContent {
  enum class Kind {
    kRows,
    kNoRows,      // it leads to others, is free, or is another's continuation
    kUnreadable,  // it should hold rows or lead to some, and does neither
  };
  Kind kind = Kind::kNoRows;
  bool keyed = false;                    // the rows are of a table WITHOUT ROWID
  std::vector<std::vector<Value>> rows;  // a NULL that stands first in a row with an id is its id
  std::uint64_t unreadable_rows = 0;     // on a page of which others could be read
};

// Reads a SQLite database page by page (https://www.sqlite.org/fileformat2.html), believing nothing
// it says of the whole: neither the first page, nor the schema, nor which page leads to which. So a
// damaged page costs what stands on it and no more. Knows integers, texts, blobs and NULL, for no
// table has anything else.
class PageReader {
 public:
  // kUnavailable, with the cause alone, where the file cannot be read.
  static Result<PageReader> open(const std::string& path);

  std::uint32_t pages() const { return pages_; }
  // How many more there are by the first page's word: they lay behind where the file ends now.
  std::uint32_t missing_pages() const { return missing_; }

  // Numbered from 1, which is the first page and has no rows.
  PageContent read(std::uint32_t number);

 private:
  // What the page that maps pages says of one; kUnknown where there is none, or it is damaged.
  enum class Mapped : std::uint8_t { kUnknown, kRoot, kFree, kOverflow, kFurtherOverflow, kTree };

  explicit PageReader(Fd fd) : fd_(std::move(fd)) {}
  void read_header();
  bool load(std::uint32_t number, std::string& into) const;
  std::uint32_t map_page_of(std::uint32_t number) const;
  Mapped mapped(std::uint32_t number);
  bool read_cell(std::string_view page, std::size_t at, bool is_leaf, PageContent& into);
  bool read_payload(std::string_view local, std::uint64_t size, bool keyed, std::string& into);

  Fd fd_;
  std::uint32_t page_size_ = 4096;
  std::uint32_t usable_ = 4096;  // of each page
  std::uint32_t pages_ = 0;
  std::uint32_t missing_ = 0;
  bool has_map_ = true;
  std::uint32_t map_number_ = 0;  // of the page in map_
  std::string map_;               // empty where it is not to be trusted
};

}  // namespace concur
