#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "store/backup.hpp"

#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace concur {

// Copies the database on a thread of its own, one copy at a time: one may take minutes, and no
// answer waits for it meanwhile.
class Copier {
 public:
  // Called on the copier's thread.
  using Done = std::function<void(Result<Fd>)>;

  explicit Copier(std::string path) : path_(std::move(path)) {}
  Copier(const Copier&) = delete;
  Copier& operator=(const Copier&) = delete;
  ~Copier();  // gives a copy that is under way up

  // False where one is under way already; then `done` is not called.
  bool submit(Done done);

 private:
  Result<Fd> copy();

  std::string path_;
  std::thread thread_;
  std::mutex mutex_;
  DatabaseCopy* copying_ = nullptr;
  bool busy_ = false;
  bool stopping_ = false;
};

}  // namespace concur
