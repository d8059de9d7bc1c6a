#include "vfs.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <vector>

namespace concur::simulation {

namespace {

constexpr int kSectorSize = 4096;
constexpr const char* kName = "simulated";

// What the connections to one database share: locks, and the index of its write-ahead log.
struct Shared {
  int readers = 0;
  int pending = 0;  // connections that wait for the last reader to go
  const void* reserved = nullptr;
  const void* exclusive = nullptr;
  std::vector<std::unique_ptr<std::byte[]>> regions;
  std::array<int, SQLITE_SHM_NLOCK> shm_readers{};
  std::array<const void*, SQLITE_SHM_NLOCK> shm_writer{};
};

std::mutex shared_mutex;
std::map<std::string, std::shared_ptr<Shared>> shared_by_name;

struct File {
  sqlite3_file base;
  Disk* disk;
  Disk::Handle* handle;
  std::string* delete_at_close;
  std::shared_ptr<Shared>* shared;
  int lock;
  std::array<bool, SQLITE_SHM_NLOCK>* reads;  // the shm locks it has, beside the exclusive ones
};

File& as_file(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }

std::span<std::byte> bytes(void* at, int size) {
  return {static_cast<std::byte*>(at), static_cast<std::size_t>(size)};
}

int code_of(Outcome outcome, int error) {
  switch (outcome) {
    case Outcome::kDone:
      return SQLITE_OK;
    case Outcome::kFull:
      return SQLITE_FULL;
    case Outcome::kError:
    case Outcome::kAbsent:
      break;
  }
  return error;
}

// --- files ---

int close_file(sqlite3_file* base) {
  File& file = as_file(base);
  if (file.delete_at_close != nullptr) {
    static_cast<void>(file.disk->remove(*file.delete_at_close, false));
  }
  delete file.handle;
  delete file.delete_at_close;
  delete file.shared;
  delete file.reads;
  base->pMethods = nullptr;
  return SQLITE_OK;
}

int read_file(sqlite3_file* base, void* into, int size, sqlite3_int64 offset) {
  File& file = as_file(base);
  std::size_t read = 0;
  const Outcome outcome =
      file.disk->read(*file.handle, static_cast<std::uint64_t>(offset), bytes(into, size), read);
  if (outcome != Outcome::kDone) return SQLITE_IOERR_READ;
  return read < static_cast<std::size_t>(size) ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
}

int write_file(sqlite3_file* base, const void* from, int size, sqlite3_int64 offset) {
  File& file = as_file(base);
  const std::span<const std::byte> what{static_cast<const std::byte*>(from),
                                        static_cast<std::size_t>(size)};
  return code_of(file.disk->write(*file.handle, static_cast<std::uint64_t>(offset), what),
                 SQLITE_IOERR_WRITE);
}

int truncate_file(sqlite3_file* base, sqlite3_int64 size) {
  File& file = as_file(base);
  return code_of(file.disk->truncate(*file.handle, static_cast<std::uint64_t>(size)),
                 SQLITE_IOERR_TRUNCATE);
}

int sync_file(sqlite3_file* base, int /*flags*/) {
  File& file = as_file(base);
  return code_of(file.disk->sync(*file.handle), SQLITE_IOERR_FSYNC);
}

int file_size(sqlite3_file* base, sqlite3_int64* size) {
  File& file = as_file(base);
  std::uint64_t bytes_there = 0;
  const Outcome outcome = file.disk->size(*file.handle, bytes_there);
  *size = static_cast<sqlite3_int64>(bytes_there);
  return code_of(outcome, SQLITE_IOERR_FSTAT);
}

// --- locks ---

int lock_file(sqlite3_file* base, int level) {
  File& file = as_file(base);
  const std::lock_guard guard(shared_mutex);
  Shared& shared = **file.shared;
  if (level <= file.lock) return SQLITE_OK;
  if (level == SQLITE_LOCK_SHARED) {
    if (shared.exclusive != nullptr || shared.pending > 0) return SQLITE_BUSY;
    ++shared.readers;
  } else if (level == SQLITE_LOCK_RESERVED) {
    if (shared.reserved != nullptr && shared.reserved != base) return SQLITE_BUSY;
    shared.reserved = base;
  } else {
    if (shared.reserved != nullptr && shared.reserved != base) return SQLITE_BUSY;
    if (shared.readers > 1) return SQLITE_BUSY;
    shared.reserved = base;
    shared.exclusive = base;
  }
  file.lock = level;
  return SQLITE_OK;
}

int unlock_file(sqlite3_file* base, int level) {
  File& file = as_file(base);
  const std::lock_guard guard(shared_mutex);
  Shared& shared = **file.shared;
  if (level >= file.lock) return SQLITE_OK;
  if (shared.exclusive == base) shared.exclusive = nullptr;
  if (shared.reserved == base) shared.reserved = nullptr;
  if (level == SQLITE_LOCK_NONE && file.lock >= SQLITE_LOCK_SHARED) --shared.readers;
  file.lock = level;
  return SQLITE_OK;
}

int check_reserved_lock(sqlite3_file* base, int* is_reserved) {
  const std::lock_guard guard(shared_mutex);
  *is_reserved = (*as_file(base).shared)->reserved != nullptr ? 1 : 0;
  return SQLITE_OK;
}

int file_control(sqlite3_file* /*base*/, int /*what*/, void* /*with*/) { return SQLITE_NOTFOUND; }
int sector_size(sqlite3_file* /*base*/) { return kSectorSize; }
int characteristics(sqlite3_file* /*base*/) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

// --- shared memory ---

int map_shm(sqlite3_file* base, int number, int size, int extend, void volatile** region) {
  File& file = as_file(base);
  const std::lock_guard guard(shared_mutex);
  auto& regions = (*file.shared)->regions;
  const auto at = static_cast<std::size_t>(number);
  *region = nullptr;
  if (at >= regions.size() && extend == 0) return SQLITE_OK;
  while (at >= regions.size()) {
    regions.push_back(std::make_unique<std::byte[]>(static_cast<std::size_t>(size)));
  }
  *region = regions[at].get();
  return SQLITE_OK;
}

int lock_shm(sqlite3_file* base, int first, int count, int flags) {
  File& file = as_file(base);
  const std::lock_guard guard(shared_mutex);
  Shared& shared = **file.shared;
  const auto begin = static_cast<std::size_t>(first);
  const auto end = begin + static_cast<std::size_t>(count);
  const bool reads = (flags & SQLITE_SHM_SHARED) != 0;
  if ((flags & SQLITE_SHM_UNLOCK) != 0) {
    for (std::size_t at = begin; at < end; ++at) {
      if (shared.shm_writer[at] == base) shared.shm_writer[at] = nullptr;
      if ((*file.reads)[at]) --shared.shm_readers[at];
      (*file.reads)[at] = false;
    }
    return SQLITE_OK;
  }
  for (std::size_t at = begin; at < end; ++at) {
    const int others = shared.shm_readers[at] - ((*file.reads)[at] ? 1 : 0);
    if (shared.shm_writer[at] != nullptr && shared.shm_writer[at] != base) return SQLITE_BUSY;
    if (!reads && others > 0) return SQLITE_BUSY;
  }
  for (std::size_t at = begin; at < end; ++at) {
    if (!reads) {
      shared.shm_writer[at] = base;
    } else if (!(*file.reads)[at]) {
      (*file.reads)[at] = true;
      ++shared.shm_readers[at];
    }
  }
  return SQLITE_OK;
}

void barrier_shm(sqlite3_file* /*base*/) { const std::lock_guard guard(shared_mutex); }

int unmap_shm(sqlite3_file* base, int deletes) {
  const std::lock_guard guard(shared_mutex);
  if (deletes != 0) (*as_file(base).shared)->regions.clear();
  return SQLITE_OK;
}

const sqlite3_io_methods kMethods = {2,
                                     close_file,
                                     read_file,
                                     write_file,
                                     truncate_file,
                                     sync_file,
                                     file_size,
                                     lock_file,
                                     unlock_file,
                                     check_reserved_lock,
                                     file_control,
                                     sector_size,
                                     characteristics,
                                     map_shm,
                                     lock_shm,
                                     barrier_shm,
                                     unmap_shm,
                                     nullptr,
                                     nullptr};

// --- the file system ---

Disk& disk_of(sqlite3_vfs* vfs) { return *static_cast<Disk*>(vfs->pAppData); }

int open_file(sqlite3_vfs* vfs, const char* name, sqlite3_file* base, int flags, int* out) {
  File& file = as_file(base);
  base->pMethods = nullptr;
  Outcome outcome = Outcome::kDone;
  const std::string path = name != nullptr ? name : "";
  const bool creates = path.empty() || (flags & SQLITE_OPEN_CREATE) != 0;
  Disk::Handle handle = disk_of(vfs).open(path, creates, outcome);
  if (!handle) return outcome == Outcome::kFull ? SQLITE_FULL : SQLITE_CANTOPEN;
  const std::lock_guard guard(shared_mutex);
  auto& shared = shared_by_name[path];
  if (!shared || path.empty()) shared = std::make_shared<Shared>();
  file.disk = &disk_of(vfs);
  file.handle = new Disk::Handle(std::move(handle));
  const bool goes = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0 && !path.empty();
  file.delete_at_close = goes ? new std::string(path) : nullptr;
  file.shared = new std::shared_ptr<Shared>(shared);
  file.lock = SQLITE_LOCK_NONE;
  file.reads = new std::array<bool, SQLITE_SHM_NLOCK>{};
  base->pMethods = &kMethods;
  if (out != nullptr) *out = flags;
  return SQLITE_OK;
}

int delete_file(sqlite3_vfs* vfs, const char* name, int durably) {
  switch (disk_of(vfs).remove(name, durably != 0)) {
    case Outcome::kDone:
      return SQLITE_OK;
    case Outcome::kAbsent:
      return SQLITE_IOERR_DELETE_NOENT;
    case Outcome::kError:
    case Outcome::kFull:
      break;
  }
  return SQLITE_IOERR_DELETE;
}

int access_file(sqlite3_vfs* vfs, const char* name, int /*flags*/, int* result) {
  *result = disk_of(vfs).exists(name) ? 1 : 0;
  return SQLITE_OK;
}

int full_path(sqlite3_vfs* /*vfs*/, const char* name, int size, char* out) {
  sqlite3_snprintf(size, out, "%s", name);
  return SQLITE_OK;
}

int randomness(sqlite3_vfs* vfs, int size, char* out) {
  for (int i = 0; i < size; ++i) out[i] = static_cast<char>(disk_of(vfs).random());
  return size;
}

int sleep(sqlite3_vfs* /*vfs*/, int micros) { return micros; }

int current_time(sqlite3_vfs* /*vfs*/, double* days) {
  *days = 2'461'368.0;
  return SQLITE_OK;
}

int last_error(sqlite3_vfs* /*vfs*/, int /*size*/, char* /*out*/) { return 0; }

sqlite3_vfs vfs_table = {};

}  // namespace

Vfs::Vfs(Disk& disk) {
  sqlite3_initialize();
  vfs_table = {};
  vfs_table.iVersion = 1;
  vfs_table.szOsFile = sizeof(File);
  vfs_table.mxPathname = 512;
  vfs_table.zName = kName;
  vfs_table.pAppData = &disk;
  vfs_table.xOpen = open_file;
  vfs_table.xDelete = delete_file;
  vfs_table.xAccess = access_file;
  vfs_table.xFullPathname = full_path;
  vfs_table.xRandomness = randomness;
  vfs_table.xSleep = sleep;
  vfs_table.xCurrentTime = current_time;
  vfs_table.xGetLastError = last_error;
  sqlite3_vfs_register(&vfs_table, 1);
  sqlite3_randomness(0, nullptr);  // seeded anew, from this disk
  forget();
}

Vfs::~Vfs() {
  sqlite3_vfs_unregister(&vfs_table);
  forget();
}

void Vfs::forget() {
  const std::lock_guard guard(shared_mutex);
  shared_by_name.clear();
}

}  // namespace concur::simulation
