#include "top/screen.hpp"

#include "terminal.hpp"
#include "top/terminfo.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <clocale>

// Its macros have the names of common functions.
#define NCURSES_NOMACROS
#include <curses.h>

namespace concur::cli {

namespace {

// What a terminal without UTF-8 shows of a text: a mark for each other character.
std::string ascii_of(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out += c;
    } else if (byte >= 0xC0) {
      out += '?';
    }
  }
  return out;
}

attr_t attributes_of(PageLine::Style style) {
  switch (style) {
    case PageLine::Style::kPlain:
      return A_NORMAL;
    case PageLine::Style::kTitle:
      return A_BOLD;
    case PageLine::Style::kAlarm:
      return A_REVERSE;
  }
  return A_NORMAL;
}

}  // namespace

Result<std::unique_ptr<Screen>> Screen::open() {
  if (auto checked = check_terminal(); !checked) return std::move(checked).error();
  std::setlocale(LC_CTYPE, "");
  // The terminal's word on its size goes before LINES and COLUMNS, which do not follow a resize.
  ::use_tioctl(true);
  std::unique_ptr<Screen> screen(new Screen);
  screen->utf8_ = Terminal::of_output().blocks;
  screen->terminal_ = ::newterm(nullptr, stdout, stdin);
  if (screen->terminal_ == nullptr) return cannot_draw("ncurses cannot start");
  ::cbreak();
  ::noecho();
  ::curs_set(0);
  return screen;
}

Screen::~Screen() {
  if (terminal_ == nullptr) return;
  ::endwin();
  ::delscreen(static_cast<SCREEN*>(terminal_));
}

PageSize Screen::size() const {
  const auto rows = static_cast<std::size_t>(::getmaxy(::stdscr));
  const auto columns = static_cast<std::size_t>(::getmaxx(::stdscr));
  return {rows, columns, utf8_};
}

void Screen::draw(const std::vector<PageLine>& lines) {
  ::werase(::stdscr);
  int row = 0;
  for (const PageLine& line : lines) {
    const attr_t attributes = attributes_of(line.style);
    const std::string text = utf8_ ? line.text : ascii_of(line.text);
    ::wattr_on(::stdscr, attributes, nullptr);
    ::mvwaddstr(::stdscr, row++, 0, text.c_str());
    ::wattr_off(::stdscr, attributes, nullptr);
  }
  ::wrefresh(::stdscr);
}

void Screen::resize() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) {
    return;
  }
  ::resizeterm(size.ws_row, size.ws_col);
}

void Screen::restore() { ::clearok(::stdscr, true); }

}  // namespace concur::cli
