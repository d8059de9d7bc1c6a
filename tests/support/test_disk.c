/*
 * libtestdisk.so: lets a test decide how long a disk takes.
 *
 *   LD_PRELOAD=libtestdisk.so TEST_DISK_FILE=/tmp/x/disk concurrencyd ...
 *
 * Each fsync() and fdatasync() first takes a shared lock (flock(2)) on the file named by
 * TEST_DISK_FILE: as long as a test holds that file locked for itself, the disk hangs.
 *
 *   LD_PRELOAD=libtestdisk.so TEST_DISK_PLAIN_RENAME=1 concur backup ...
 *
 * renameat2() refuses its flags with EINVAL, as on NFS, FUSE and older ZFS.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Visible even where the build hides symbols by default. */
#define EXPORT __attribute__((visibility("default")))

static void wait_for_disk(void) {
  const char* path = getenv("TEST_DISK_FILE");
  if (path == NULL) return;
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) _exit(99); /* going on would let a test pass for the wrong reason */
  while (flock(fd, LOCK_SH) != 0 && errno == EINTR) {
  }
  close(fd);
}

EXPORT int fsync(int fd) {
  wait_for_disk();
  return (int)syscall(SYS_fsync, fd);
}

EXPORT int fdatasync(int fd) {
  wait_for_disk();
  return (int)syscall(SYS_fdatasync, fd);
}

EXPORT int renameat2(int from_folder, const char* from, int to_folder, const char* to,
                     unsigned flags) {
  if (flags != 0 && getenv("TEST_DISK_PLAIN_RENAME") != NULL) {
    errno = EINVAL;
    return -1;
  }
  return (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
}
