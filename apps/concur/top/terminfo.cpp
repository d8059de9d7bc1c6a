// In a file of its own: term.h defines hundreds of macros such as lines and columns.
#include "top/terminfo.hpp"

#include "base/text.hpp"
#include "terminal.hpp"

#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#define NCURSES_NOMACROS
#include <curses.h>
// After curses.h, which it needs.
#include <term.h>

namespace concur::cli {

Result<void> check_terminal() {
  const char* name = std::getenv("TERM");
  if (name == nullptr || *name == '\0') return cannot_draw("TERM is not set");
  int found = 0;
  if (::setupterm(nullptr, STDOUT_FILENO, &found) != OK || found != 1) {
    return cannot_draw(text::format("the terminal '{}' is not known here", printable(name)));
  }
  const char* to_position = ::tigetstr("cup");
  // The pointer -1 says that it is no such text.
  const bool moves = to_position != nullptr && reinterpret_cast<std::intptr_t>(to_position) != -1;
  ::del_curterm(::cur_term);
  if (!moves) {
    return cannot_draw(text::format("the terminal '{}' cannot move its cursor", printable(name)));
  }
  return {};
}

Error cannot_draw(std::string_view why) {
  return {ErrorKind::kAbsent, text::format("cannot draw a screen: {}; lines are printed", why)};
}

}  // namespace concur::cli
