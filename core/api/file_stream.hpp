#pragma once

#include "api/message.hpp"
#include "base/fd.hpp"

#include <unistd.h>

#include <algorithm>
#include <utility>

namespace concur {

// A file as the body of an answer, read as fast as it goes out. For one that was just written, so
// that reading it waits for no disk.
class FileStream final : public BodySource {
 public:
  explicit FileStream(Fd file) : file_(std::move(file)) {}

  State read(std::string& out, std::size_t room) override {
    constexpr std::size_t kMax = std::size_t{64} * 1024;
    const std::size_t before = out.size();
    out.resize(before + std::min(std::max<std::size_t>(room, 1), kMax));
    const ssize_t got = ::read(file_.get(), out.data() + before, out.size() - before);
    out.resize(before + (got > 0 ? static_cast<std::size_t>(got) : 0));
    if (got < 0) return State::kBroken;
    return got > 0 ? State::kMore : State::kEnd;
  }

  void set_waker(std::function<void()> /*wake*/) override {}
  void drain() override {}

 private:
  Fd file_;
};

}  // namespace concur
