#include "base/fd.hpp"

#include <unistd.h>

namespace concur {

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = other.release();
  }
  return *this;
}

void Fd::close() {
  if (fd_ >= 0) ::close(release());
}

}  // namespace concur
