#pragma once

#include "disk.hpp"

namespace concur::simulation {

// Makes the disk SQLite's default file system for the whole process, until it is destroyed. Shared
// memory is the process's own. Every connection must be closed before.
class Vfs {
 public:
  explicit Vfs(Disk& disk);
  Vfs(const Vfs&) = delete;
  Vfs& operator=(const Vfs&) = delete;
  ~Vfs();

  // Forgets locks and shared memory, as the death of a process does.
  static void forget();
};

}  // namespace concur::simulation
