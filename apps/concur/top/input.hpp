#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

namespace concur::cli {

// What ends the screen or changes it: signals, and the keys of a terminal. Signals that concur was
// called to ignore stay ignored.
class Input {
 public:
  // `keys`: of standard input, where that is a terminal.
  static Result<Input> take(bool keys);

  int fd() const { return all_.get(); }  // can be read where read() has something to do

  void read();
  bool quit() const { return quit_; }
  bool take_resized();  // and not again until it is resized once more
  bool take_redraw();

 private:
  void read_signals();
  void read_keys();

  Fd signals_;
  Fd all_;
  bool quit_ = false;
  bool resized_ = false;
  bool redraw_ = false;
};

}  // namespace concur::cli
