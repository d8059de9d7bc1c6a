#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace concur::cli {

// A file that is written under another name beside its own, which it gets when it is whole and on
// the disk; where it does not come to that, nothing is left of it. Only its owner may read it.
//
// Errors read `cannot write <path>: <cause>`. kInvalid: another name is needed; kForbidden: other
// rights are; kUnavailable: it is the disk or the system.
class NewFile {
 public:
  enum class Name {
    kFree,      // nothing has it yet
    kReplaced,  // what has it, which may only be a file, is replaced
  };

  NewFile(std::string path, Name name);
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile();

  // Before anything else.
  Result<void> open();
  Result<void> write(std::string_view text);
  // The last of it.
  Result<void> commit();

  std::size_t size() const { return size_; }  // so far

  // What a command says once it has written one: `{"file":"…","bytes":…}` and a newline.
  std::string answer() const;

 private:
  Result<void> open_part();

  std::string path_;
  std::string part_;
  Name name_;
  Fd fd_;
  std::size_t size_ = 0;
};

}  // namespace concur::cli
