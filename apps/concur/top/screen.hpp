#pragma once

#include "base/result.hpp"
#include "top/page_text.hpp"

#include <memory>
#include <string>
#include <vector>

namespace concur::cli {

// The whole terminal, through ncurses; given back as it was when this is destroyed.
class Screen {
 public:
  // kAbsent where no screen can be drawn on the terminal that TERM names; the terminal is then
  // untouched.
  static Result<std::unique_ptr<Screen>> open();

  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  PageSize size() const;
  void draw(const std::vector<PageLine>& lines);

  void resize();   // to what the terminal says
  void restore();  // the next draw() trusts nothing that is there

 private:
  Screen() = default;

  void* terminal_ = nullptr;  // ncurses' own
  bool utf8_ = false;
};

}  // namespace concur::cli
